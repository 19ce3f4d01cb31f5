package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sluice.dev/internal/journal"
	"sluice.dev/queue"
	"sluice.dev/worker/publish"
)

// Several items have published one output, one after the other, and each has
// its record: whichever of them stands there is our own.
func TestEveryRecordOfAnOutputCounts(t *testing.T) {
	dir := t.TempDir()
	stateDir := filepath.Join(dir, "state")
	j, err := journal.Open(stateDir)
	if err != nil {
		t.Fatal(err)
	}
	const versions = 4
	for i := range versions {
		for _, name := range []string{"a", "b"} {
			id := fmt.Sprint(name, i)
			s := publish.NewStage(filepath.Join(dir, name), id, 1)
			if err := s.Create(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.Out(), []byte(id), 0o644); err != nil {
				t.Fatal(err)
			}
			r, err := s.Record(0, publish.ExistingReplace)
			if err != nil {
				t.Fatal(err)
			}
			data, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Link(s.Out(), filepath.Join(dir, "version-"+id)); err != nil {
				t.Fatal(err)
			}
			for _, e := range []journal.Entry{{Kind: journal.Committed, ID: id, Data: json.RawMessage(data)}, {Kind: journal.Done, ID: id}} {
				if err := j.Add(e); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := openState(stateDir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	a := queue.Item{ID: "new", Output: filepath.Join(dir, "a")}
	for _, c := range []struct {
		there string
		ours  bool
	}{{"a0", true}, {"a1", true}, {"a3", true}, {"b0", false}, {"b3", false}} {
		if err := os.RemoveAll(a.Output); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(dir, "version-"+c.there), a.Output); err != nil {
			t.Fatal(err)
		}
		if ours, err := s.ours(a); err != nil || ours != c.ours {
			t.Errorf("%s is there: ours is %t, %v, want %t", c.there, ours, err, c.ours)
		}
		if files, err := s.replaceable(a); err != nil || len(files) == 1 != c.ours {
			t.Errorf("%s is there: %v may be replaced, %v", c.there, files, err)
		}
	}
}
