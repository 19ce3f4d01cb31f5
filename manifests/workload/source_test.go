package workload_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/manifests/workload"
)

func TestRecordsOfEachSource(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lines, more := file("lines", "a\nb\n"), file("more", "c")
	for _, tt := range []struct {
		name    string
		source  workload.Source
		want    []string // arguments
		ofFiles bool
	}{
		{"files", workload.Source{Files: []string{lines, more}}, []string{"a", "b", "c"}, true},
		{"objects", workload.Source{Files: []string{file("o", `{"x": 1}`)}, Format: workload.FormatJSONLines}, []string{`{"x": 1}`}, true},
		{"a table", workload.Source{Files: []string{file("t", "x,y\n1,2\n")}, Format: workload.FormatCSV}, []string{"1,2"}, true},
		{"glob", workload.Source{Glob: filepath.Join(dir, "l*")}, []string{lines}, true},
		{"frames", workload.Source{Frames: &workload.Frames{Range: "1-5,9", Chunk: new(int32(2)), Pad: new(int32(2))}}, []string{"01-02", "03-04", "05", "09"}, false},
		{"list", workload.Source{List: []string{"x", ""}}, []string{"x", ""}, false},
		{"args", workload.Source{Args: []workload.Arg{{Name: "a", Values: []string{"1", "2"}}, {Name: "b", Values: []string{"3"}}}}, []string{"a=1 b=3", "a=2 b=3"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for r, err := range tt.source.Records() {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, r.Arg)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if tt.source.OfFiles() != tt.ofFiles {
				t.Errorf("OfFiles() = %t", !tt.ofFiles)
			}
		})
	}
}
