package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is what entries come to, in a map.
type model map[string]Item

func (m model) add(e Entry) {
	it := m[e.ID]
	switch e.Kind {
	case Committed:
		it.Committed = e.Data
		if it.Last == "" || it.Last == Dead { // begun again
			it.Last, it.Attempts, it.Data = Committed, e.Attempts, nil
		}
	case Done, Dead:
		it.Last, it.Attempts, it.Data = e.Kind, e.Attempts, e.Data
	default:
		return
	}
	m[e.ID] = it
}

// folder is a journal's folder that files are put into.
type folder struct {
	t     *rapid.T
	dir   string
	began int
	model model
	known []string // ids
}

// put makes a file of random entries, some of them damaged.
func (f *folder) put() {
	var text []byte
	for range rapid.IntRange(0, 12).Draw(f.t, "entries") {
		e := someEntry.Draw(f.t, "entry")
		e.ID = rapid.SampledFrom(f.known).Draw(f.t, "id")
		whole := len(text)
		var err error
		if text, err = appendLine(text, e); err != nil {
			f.t.Fatal(err)
		}
		if rapid.IntRange(0, 9).Draw(f.t, "damage") == 9 {
			text[whole+sumLength+2] ^= 1
		} else {
			f.model.add(e)
		}
	}
	f.began++
	f.write(fmt.Sprintf("%d-w%s", f.began, suffix), text)
}

func (f *folder) write(name string, text []byte) {
	if err := os.WriteFile(filepath.Join(f.dir, name), text, 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// files are what the folder has, by their names.
func (f *folder) files() map[string][]byte {
	all := make(map[string][]byte)
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range entries {
		if all[e.Name()], err = os.ReadFile(filepath.Join(f.dir, e.Name())); err != nil {
			f.t.Fatal(err)
		}
	}
	return all
}

// check opens the journal and compares what it says with the model.
func (f *folder) check() {
	j, err := Open(f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	got, records := make(model), make(map[string]string)
	for _, id := range f.known {
		it, err := j.Item(id)
		last, err2 := j.Last(id)
		if err != nil || err2 != nil || last != it.Last {
			f.t.Fatalf("item %s is %+v, %v; last it was %q, %v", id, it, err, last, err2)
		}
		if it.Last != "" {
			got[id] = it
		}
	}
	err = j.Records(func(r Record) error {
		at, err := j.RecordAt(r.At)
		if d := cmp.Diff(Record{ID: r.ID, Data: bytes.Clone(r.Data), At: r.At}, at); d != "" {
			f.t.Fatalf("the record at %d differs (-want +got):\n%s", r.At, d)
		}
		if _, twice := records[r.ID]; twice {
			f.t.Fatalf("item %s has two records", r.ID)
		}
		records[r.ID] = string(r.Data)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	want := make(map[string]string)
	for id, it := range f.model {
		if it.Committed != nil {
			want[id] = string(it.Committed)
		}
	}
	if d := cmp.Diff(f.model, got) + cmp.Diff(want, records); d != "" {
		f.t.Fatalf("differs (-want +got):\n%s", d)
	}
	if err := j.Close(); err != nil {
		f.t.Fatal(err)
	}
}

// tidy checks that the snapshot has no damaged line and few that do not count.
func (f *folder) tidy() {
	lines := 0
	err := eachLine(bytes.NewReader(f.files()[snapshotName]), func(line []byte, _ int64) error {
		e, ok := parse(line)
		if !ok {
			f.t.Fatalf("the snapshot has the line %q", line)
		}
		if slices.Contains(kinds, e.Kind) {
			lines++
		}
		return nil
	})
	if most := 2 * 2 * len(f.model); err != nil || lines > most {
		f.t.Fatalf("the snapshot has %d lines of %d items, %v", lines, len(f.model), err)
	}
}

// Whatever files there are, and wherever a fold of them was cut short, a
// journal knows the last entries of each item.
func TestFolding(t *testing.T) {
	root, rounds := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		rounds++
		dir := filepath.Join(root, fmt.Sprint(rounds))
		if err := os.Mkdir(dir, 0o755); err != nil {
			rt.Fatal(err)
		}
		f := &folder{t: rt, dir: dir, model: make(model), known: []string{"a", "b", "c", "é"}}
		for range rapid.IntRange(1, 3).Draw(rt, "runs") {
			for range rapid.IntRange(0, 3).Draw(rt, "files") {
				f.put()
			}
			inOrder, err := logs(dir)
			if err != nil {
				rt.Fatal(err)
			}
			before := f.files()
			f.check()
			f.tidy()

			// It was cut short, and has left the last of the files.
			for _, l := range inOrder[rapid.IntRange(0, len(inOrder)).Draw(rt, "cut"):] {
				if l.name != snapshotName {
					f.write(l.name, before[l.name])
				}
			}
			f.write(foldPrefix+"123", []byte("half a li"))
			f.check()
			f.tidy()
			if _, left := f.files()[foldPrefix+"123"]; left {
				rt.Fatal("a fold that was cut short has left its file")
			}
		}
	})
}

// A folder that cannot be folded is left as it was.
func TestAFoldThatFails(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"1-a" + suffix, "2-a" + suffix} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("damaged\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, snapshotName, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the lock is free again
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), snapshotName) {
			t.Fatalf("Open: %v", err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 5 { // the lock and the mark of writers too
		t.Errorf("left are %v, %v", left, err)
	}
}

// What the index points at is looked at before it is believed.
func TestAFileThatChangesWhileItIsOpen(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	add(t, j, Entry{Kind: Done, ID: "a"}, Entry{Kind: Done, ID: "b"})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	if err := os.Truncate(filepath.Join(dir, snapshotName), 40); err != nil {
		t.Fatal(err)
	}
	if it, err := j.Item("a"); err != nil || it.Last != Done {
		t.Errorf("a is %+v, %v", it, err)
	}
	if it, err := j.Item("b"); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("b is %+v, %v", it, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}
