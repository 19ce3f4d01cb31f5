package publish

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestStagePaths(t *testing.T) {
	for _, tt := range []struct {
		final, id string
		out       string
	}{
		{"out/a.gz", "a1", "out/.sluice-a1-7/a.gz"},
		{"a.gz", "x.y_z-1", ".sluice-x.y_z-1-7/a.gz"},
		{"/abs//d/../a", "a", "/abs/.sluice-a-7/a"},
		{"o/\xff", "a", "o/.sluice-a-7/\xff"},
	} {
		s := NewStage(tt.final, tt.id, 7)
		if s.Out() != tt.out || s.Dir() != filepath.Dir(tt.out) {
			t.Errorf("NewStage(%q, %q): out %q, dir %q; want %q", tt.final, tt.id, s.Out(), s.Dir(), tt.out)
		}
	}
}

func TestIDsThatAreNoFileNamesAreHashed(t *testing.T) {
	hashed := regexp.MustCompile(`^[0-9a-f]{32}$`)
	seen := map[string]string{}
	for _, id := range []string{"", "a/b", "../x", "a b", "ä", "\xff", "a\nb", strings.Repeat("x", 65), strings.Repeat("x", 66)} {
		got := safeID(id)
		if !hashed.MatchString(got) {
			t.Errorf("safeID(%q) = %q", id, got)
		}
		if was, ok := seen[got]; ok {
			t.Errorf("%q and %q share %q", was, id, got)
		}
		seen[got] = id
	}
	if id := strings.Repeat("x", 64); safeID(id) != id {
		t.Errorf("an id of 64 bytes became %q", safeID(id))
	}
}

func TestCreateMakesAnEmptyFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "er")
	s := created(t, dir, "a", 5)
	wantEntries(t, s.Dir())
	write(t, s.Out(), "left over")
	must(t, s.Create()) // the same attempt again
	wantEntries(t, s.Dir())
	wantEntries(t, dir, ".sluice-item-5")
}

func TestCreateAndRemoveTakeDeadStagingAndNoOther(t *testing.T) {
	dir := t.TempDir()
	kept := []string{
		".sluice-item-6", ".sluice-item-10", // later tokens
		".sluice-item-3-4", ".sluice-item2-1", ".sluice-ite-1", // other items
		".sluice-item-", ".sluice-item-x", ".sluice-item--1", ".sluice-item", ".sluice-1", // nobody's
		"item-1",
	}
	for _, step := range []struct {
		name string
		do   func(s *Stage) error
		left []string // of this item's
	}{
		{"Create", (*Stage).Create, []string{".sluice-item-5"}},
		{"Remove", (*Stage).Remove, nil},
	} {
		for _, name := range append([]string{".sluice-item-1", ".sluice-item-4"}, kept...) {
			write(t, filepath.Join(dir, name, "file"), "x")
		}
		must(t, step.do(NewStage(filepath.Join(dir, "a"), "item", 5)))
		wantEntries(t, dir, append(step.left, kept...)...)
	}
}

func TestFirstAttemptLooksForNoDeadStaging(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".sluice-item-1", "file"), "x")
	s := NewStage(filepath.Join(dir, "a"), "item", 5)
	s.First = true
	must(t, s.Create())
	wantEntries(t, dir, ".sluice-item-1", ".sluice-item-5")
	must(t, s.Remove())
	wantEntries(t, dir, ".sluice-item-1")
}

func TestRemoveTwice(t *testing.T) {
	dir := t.TempDir()
	s := created(t, dir, "a", 1)
	must(t, s.Remove())
	must(t, s.Remove())
	must(t, NewStage(filepath.Join(dir, "not", "there"), "item", 1).Remove())
}

func TestCreateRefusesWhatNamesNoFile(t *testing.T) {
	dir := t.TempDir()
	for _, final := range []string{"", ".", "..", "/", dir + "/.sluice-x-1", "a\x00b"} {
		err := NewStage(final, "item", 1).Create()
		if err == nil || !strings.Contains(err.Error(), "names no file that could be published") {
			t.Errorf("Create for %q: %v", final, err)
		}
	}
	wantEntries(t, dir)
}

func TestCreateUnderAFileNamesIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "x")
	err := NewStage(filepath.Join(file, "sub", "a"), "item", 1).Create()
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("got %v", err)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".sluice-a-1", ".sluice-a-99", ".sluice-" + safeID("b/b") + "-3", ".sluice-c-1", ".sluice-a-1-2", "a-1"} {
		write(t, filepath.Join(dir, name, "sub", "file"), "x")
	}
	must(t, os.Chmod(filepath.Join(dir, ".sluice-a-1", "sub"), 0o555))
	must(t, Sweep(dir, "a", "b/b", "never seen"))
	wantEntries(t, dir, ".sluice-c-1", ".sluice-a-1-2", "a-1")
	must(t, Sweep(filepath.Join(dir, "not there"), "a"))
}
