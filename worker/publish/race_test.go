package publish

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Whoever finishes the same record at the same time, each returns when the
// output is in place, and the output stays there.
func TestFinishersRace(t *testing.T) {
	everyMover(t, func(t *testing.T, m mover) {
		for _, kind := range []string{"file", "folder"} {
			for _, replace := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s,replace=%t", kind, replace), func(t *testing.T) {
					for range 12 {
						race(t, m, kind, replace)
					}
				})
			}
		}
	})
}

func race(t *testing.T, m mover, kind string, replace bool) {
	dir := t.TempDir()
	at := func(path string) string {
		if kind == "folder" {
			return filepath.Join(path, "x")
		}
		return path
	}
	e := ExistingFail
	if replace {
		e = ExistingReplace
		write(t, at(filepath.Join(dir, "a")), "old")
		write(t, at(filepath.Join(dir, "b")), "old")
	}
	s := created(t, dir, "b", 1)
	write(t, at(filepath.Join(s.Dir(), "a")), "new")
	write(t, at(s.Out()), "new")
	r := recorded(t, s, e)

	start := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			<-start
			if err := m.finish(r); err != nil {
				t.Error(err)
				return
			}
		})
	}
	close(start)
	all.Wait()
	wantContent(t, at(filepath.Join(dir, "a")), "new")
	wantContent(t, at(filepath.Join(dir, "b")), "new")
	must(t, m.finish(r))
	must(t, s.Remove())
	wantEntries(t, dir, "a", "b")
}

// Two finishers take turns at the one point where an exchange could undo
// another: each has looked, and the second acts after the first is done.
func TestSecondExchangeDoesNotUndoTheFirst(t *testing.T) {
	everyMover(t, func(t *testing.T, m mover) {
		dir := t.TempDir()
		final := filepath.Join(dir, "a")
		write(t, filepath.Join(final, "x"), "old")
		s := created(t, dir, "a", 1)
		write(t, filepath.Join(s.Out(), "x"), "new")
		r := recorded(t, s, ExistingReplace)
		f := r.Files[0]
		at, err := r.look(f)
		must(t, err)
		must(t, m.finish(r))
		if err := m.replace(r, f, at.source); err == nil {
			t.Error("the second found something to move")
		}
		wantContent(t, filepath.Join(final, "x"), "new")

		// The same from the name that the first gave to what it took.
		entries, err := os.ReadDir(s.Dir())
		must(t, err)
		if len(entries) == 0 {
			t.Fatal("the old folder is not in the staging folder")
		}
		for _, e := range entries {
			if err := m.replace(r, f, filepath.Join(s.Dir(), e.Name())); err == nil {
				t.Error("the second moved the old folder")
			}
		}
		wantContent(t, filepath.Join(final, "x"), "new")
	})
}
