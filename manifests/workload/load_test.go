package workload_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/manifests/workload"
)

var update = flag.Bool("update", false, "write what is told of testdata/bad")

// TestBadFiles compares all that is told of each file, with its places, to the
// .txt beside it.
func TestBadFiles(t *testing.T) {
	for _, name := range glob(t, "testdata/bad/*.[yj]*") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			_, errs := workload.Load(nil, name)
			if len(errs) == 0 {
				t.Fatal("no errors")
			}
			var told strings.Builder
			for _, e := range errs {
				told.WriteString(strings.TrimPrefix(e.Error(), name+":") + "\n")
			}
			golden := strings.TrimSuffix(name, filepath.Ext(name)) + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(told.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), told.String()); d != "" {
				t.Error(d)
			}
		})
	}
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no files, %v", pattern, err)
	}
	return names
}
