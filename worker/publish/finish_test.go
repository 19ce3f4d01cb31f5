package publish

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFinishPublishesAndMayBeRepeated(t *testing.T) {
	everyMover(t, func(t *testing.T, m mover) {
		dir := t.TempDir()
		s := created(t, dir, "b\xff", 1)
		write(t, s.Out(), "output")
		write(t, filepath.Join(s.Dir(), "a"), "log")
		write(t, filepath.Join(s.Dir(), "d", "x"), "inner")
		b, err := recorded(t, s, ExistingFail).Encode()
		must(t, err)
		r, err := Decode(b) // as a later holder has it
		must(t, err)
		for range 2 {
			must(t, m.finish(r))
			wantEntries(t, dir, s.Dir()[len(dir)+1:], "a", "b\xff", "d")
			wantEntries(t, s.Dir())
		}
		must(t, s.Remove())
		must(t, m.finish(r))
		wantContent(t, filepath.Join(dir, "b\xff"), "output")
		wantContent(t, filepath.Join(dir, "a"), "log")
		wantContent(t, filepath.Join(dir, "d", "x"), "inner")
	})
}

// A process may die between any two renames. Whoever comes next finishes.
func TestFinishAfterACrash(t *testing.T) {
	everyMover(t, func(t *testing.T, m mover) {
		for done := range 4 {
			dir := t.TempDir()
			s := created(t, dir, "z", 1)
			for _, name := range []string{"a", "z"} {
				write(t, filepath.Join(s.Dir(), name), name)
			}
			write(t, filepath.Join(s.Dir(), "d", "x"), "inner")
			r := recorded(t, s, ExistingFail)
			for _, f := range r.Files[:done] {
				must(t, m.publish(r, f))
			}
			if _, err := os.Lstat(filepath.Join(dir, "z")); (err == nil) != (done == 3) {
				t.Errorf("after %d renames the output is there: %v", done, err == nil)
			}
			must(t, m.finish(r))
			must(t, NewStage(filepath.Join(dir, "z"), "item", 2).Remove()) // the later holder's
			wantEntries(t, dir, "a", "d", "z")
			wantContent(t, filepath.Join(dir, "z"), "z")
		}
	})
}

func TestFinishAfterACrashBetweenLinkAndUnlink(t *testing.T) {
	everyMover(t, func(t *testing.T, m mover) {
		dir := t.TempDir()
		s := created(t, dir, "a", 1)
		write(t, s.Out(), "output")
		r := recorded(t, s, ExistingFail)
		must(t, os.Link(s.Out(), filepath.Join(dir, "a")))
		must(t, m.finish(r))
		must(t, s.Remove())
		wantContent(t, filepath.Join(dir, "a"), "output")
	})
}

func TestForeignFinalIsKept(t *testing.T) {
	everyMover(t, func(t *testing.T, m mover) {
		for _, foreign := range []string{"out", "log"} { // the output, a companion
			dir := t.TempDir()
			write(t, filepath.Join(dir, foreign), "mine")
			s := created(t, dir, "out", 1)
			write(t, s.Out(), "output")
			write(t, filepath.Join(s.Dir(), "log"), "x")
			r := recorded(t, s, ExistingFail)
			e := wantAs[*Exists](t, m.finish(r))
			if e.Path != filepath.Join(dir, foreign) {
				t.Errorf("the error names %q", e.Path)
			}
			wantContent(t, filepath.Join(dir, foreign), "mine")
			wantEntries(t, dir, ".sluice-item-1", foreign) // nothing was published in part
		}
	})
}

// The name is taken between the look and the rename.
func TestForeignFinalThatComesLateIsKept(t *testing.T) {
	everyMover(t, func(t *testing.T, m mover) {
		dir := t.TempDir()
		s := created(t, dir, "a", 1)
		write(t, s.Out(), "output")
		r := recorded(t, s, ExistingFail)
		late := m
		late.noReplace = func(from, to string) error {
			write(t, to, "mine")
			return m.noReplace(from, to)
		}
		wantAs[*Exists](t, late.finish(r))
		wantContent(t, filepath.Join(dir, "a"), "mine")
		wantContent(t, s.Out(), "output")
	})
}

func TestReplace(t *testing.T) {
	file := func(t *testing.T, path, content string) { write(t, path, content) }
	folder := func(t *testing.T, path, content string) { write(t, filepath.Join(path, "x"), content) }
	link := func(t *testing.T, path, content string) { must(t, os.Symlink("nowhere", path)) }
	kinds := map[string]func(*testing.T, string, string){"file": file, "folder": folder}
	olds := map[string]func(*testing.T, string, string){"file": file, "folder": folder, "link": link}
	everyMover(t, func(t *testing.T, m mover) {
		for newKind, makeNew := range kinds {
			for oldKind, makeOld := range olds {
				t.Run(newKind+" over "+oldKind, func(t *testing.T) {
					dir := t.TempDir()
					final := filepath.Join(dir, "a")
					makeOld(t, final, "old")
					s := created(t, dir, "a", 1)
					makeNew(t, s.Out(), "new")
					r := recorded(t, s, ExistingReplace)
					for range 2 {
						must(t, m.finish(r))
					}
					must(t, s.Remove())
					must(t, m.finish(r))
					wantEntries(t, dir, "a")
					if newKind == "folder" {
						final = filepath.Join(final, "x")
					}
					wantContent(t, final, "new")
				})
			}
		}
	})
}

// A process dies while it replaces a folder: after it took the new one under a
// name of its own, or, where there is no exchange, after it put the old one away.
func TestReplaceAfterACrash(t *testing.T) {
	everyMover(t, func(t *testing.T, m mover) {
		for _, putAway := range []bool{false, true} {
			dir := t.TempDir()
			final := filepath.Join(dir, "a")
			write(t, filepath.Join(final, "x"), "old")
			s := created(t, dir, "a", 1)
			write(t, filepath.Join(s.Out(), "x"), "new")
			r := recorded(t, s, ExistingReplace)
			own := filepath.Join(s.Dir(), takenPrefix+"DEAD")
			must(t, os.Rename(s.Out(), own))
			if putAway {
				must(t, os.Rename(final, own+"-old"))
			}
			must(t, m.finish(r))
			must(t, m.finish(r))
			wantContent(t, filepath.Join(final, "x"), "new")
		}
	})
}

func TestPreviousOutputIsReplacedUnlessItChanged(t *testing.T) {
	everyMover(t, func(t *testing.T, m mover) {
		dir := t.TempDir()
		final := filepath.Join(dir, "a")
		s := created(t, dir, "a", 1)
		write(t, s.Out(), "first")
		first := recorded(t, s, ExistingFail)
		must(t, m.finish(first))

		s = created(t, dir, "a", 2)
		write(t, s.Out(), "second")
		second := recorded(t, s, ExistingFail)
		wantAs[*Exists](t, m.finish(second))
		second.Previous = first.Files
		must(t, m.finish(second))
		wantContent(t, final, "second")

		s = created(t, dir, "a", 3)
		write(t, s.Out(), "third")
		third := recorded(t, s, ExistingFail)
		third.Previous = second.Files
		write(t, final, "edited by hand")
		wantAs[*Exists](t, m.finish(third))
		wantContent(t, final, "edited by hand")
	})
}

func TestGone(t *testing.T) {
	everyMover(t, func(t *testing.T, m mover) {
		for name, spoil := range map[string]func(s *Stage, final string) error{
			"staging removed":          func(s *Stage, _ string) error { return s.Remove() },
			"staged file removed":      func(s *Stage, _ string) error { return os.Remove(s.Out()) },
			"staged file changed":      func(s *Stage, _ string) error { return os.WriteFile(s.Out(), []byte("another size"), 0o666) },
			"folder removed":           func(s *Stage, final string) error { return os.RemoveAll(filepath.Dir(final)) },
			"another final, no source": func(s *Stage, final string) error { return os.Rename(s.Out(), final+"x") },
		} {
			t.Run(name, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "out")
				s := created(t, dir, "a", 1)
				write(t, s.Out(), "output")
				write(t, filepath.Join(s.Dir(), "0log"), "x")
				r := recorded(t, s, ExistingFail)
				must(t, spoil(s, filepath.Join(dir, "a")))
				wantAs[*Gone](t, m.finish(r))
				if _, err := os.Lstat(filepath.Join(dir, "0log")); err == nil {
					t.Error("a part was published of what is gone")
				}
			})
		}
	})
}

// A zombie that wakes after the item was published and its staging removed
// sees its own output and is content; once that was changed, it touches nothing.
func TestZombieFinishes(t *testing.T) {
	dir := t.TempDir()
	s := created(t, dir, "a", 1)
	write(t, s.Out(), "output")
	r := recorded(t, s, ExistingReplace)
	must(t, Finish(r))
	must(t, NewStage(filepath.Join(dir, "a"), "item", 2).Remove())
	must(t, Finish(r))
	write(t, filepath.Join(dir, "a"), "edited by hand")
	wantAs[*Gone](t, Finish(r))
	wantContent(t, filepath.Join(dir, "a"), "edited by hand")
}
