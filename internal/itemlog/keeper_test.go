package itemlog

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice.dev/queue"
)

func newKeeper(t testing.TB, dir string, b Bounds) *Keeper {
	t.Helper()
	k, err := NewKeeper(dir, b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// ids are those of the attempts that are kept, the oldest first.
func ids(t testing.TB, dir string) string {
	t.Helper()
	all, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.ID)
	}
	return strings.Join(names, " ")
}

// What was done goes first, then what was not; the oldest first.
func TestAFolderIsHeldWithinItsBounds(t *testing.T) {
	for name, b := range map[string]Bounds{
		"attempts": {Attempts: 3},
		"bytes":    {Bytes: 3000},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w := newWriter(t, dir, MinLimit)
			k := newKeeper(t, dir, b)
			token := uint64(0)
			for _, step := range []struct {
				id   string
				verb queue.Verb
				want string
			}{
				{"d1", queue.Ack, "d1"},
				{"f1", queue.Nack, "d1 f1"},
				{"d2", queue.Ack, "d1 f1 d2"},
				{"d3", queue.Ack, "f1 d2 d3"},
				{"f2", queue.Bury, "f1 d3 f2"},
				{"f3", queue.Release, "f1 f2 f3"},
				{"f4", queue.Nack, "f2 f3 f4"},
			} {
				token++
				run(t, w, head(step.id, token), step.verb, strings.Repeat("x", 900), strings.Repeat("y", 100))
				if err := k.Ended(token, step.id); err != nil {
					t.Fatal(err)
				}
				if got := ids(t, dir); got != step.want {
					t.Errorf("after %s there is %q, want %q", step.id, got, step.want)
				}
			}
			if n := len(files(t, dir)); n != 9 {
				t.Errorf("files %v", files(t, dir))
			}
		})
	}
}

// A keeper that comes later holds to the bounds with what it finds.
func TestBoundsOutliveARun(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir, MinLimit)
	for i := range uint64(10) {
		run(t, w, head(fmt.Sprint(i), i), queue.Ack, "x", "")
	}
	newKeeper(t, dir, Bounds{Attempts: 4})
	if got := ids(t, dir); got != "6 7 8 9" {
		t.Errorf("kept %q", got)
	}
}

// What nobody told of is found at the end; what runs is left alone.
func TestCloseCountsWhatNobodyToldOf(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir, MinLimit)
	k := newKeeper(t, dir, Bounds{Attempts: 1})
	running := begin(t, w, head("running", 1), "", "")
	lose(t, w, head("lost", 2), "x")
	run(t, w, head("done", 3), queue.Ack, "x", "")
	if err := k.Ended(3, "done"); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, dir); got != "running lost" {
		t.Errorf("kept %q", got)
	}
	running.Close()
	running.item.Close()
}

// An attempt whose worker was killed may be of any length, and any of its files
// may be missing or half written.
func TestWhatAKillLeavesIsMended(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir, MinLimit)
	lose(t, w, head("long", 1), strings.Repeat("x", 10*MinLimit))
	lose(t, w, head("torn", 2), "x")
	lose(t, w, head("cutting", 3), strings.Repeat("x", 10*MinLimit))
	lose(t, w, head("headless", 4), "x")
	path := func(token uint64, id, suffix string) string { return filepath.Join(dir, fileName(token, id)+suffix) }
	f, err := os.OpenFile(path(2, "torn", itemSuffix), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"at":"2026-01-01T00:0`)
	f.Close()
	if err := os.WriteFile(path(3, "cutting", outSuffix+cutSuffix), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path(4, "headless", itemSuffix), 10); err != nil {
		t.Fatal(err)
	}

	newKeeper(t, dir, Bounds{})
	if got := ids(t, dir); got != "long torn cutting" {
		t.Errorf("kept %q", got)
	}
	for _, id := range []string{"long", "torn", "cutting"} {
		e := one(t, dir, id)
		if e.Outcome != Lost || e.Size > MinLimit {
			t.Errorf("%s: %s with %d bytes", id, e.Outcome, e.Size)
		}
	}
	if slices.ContainsFunc(files(t, dir), func(name string) bool { return strings.HasSuffix(name, cutSuffix) }) {
		t.Errorf("files %v", files(t, dir))
	}
}
