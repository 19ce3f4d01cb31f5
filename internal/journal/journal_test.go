package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, dir string) *Journal {
	t.Helper()
	j, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func add(t testing.TB, w interface{ Add(Entry) error }, entries ...Entry) {
	t.Helper()
	for _, e := range entries {
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
}

// reopened is what a journal says of its items when it is opened again.
func reopened(t testing.TB, dir string, ids ...string) map[string]Item {
	t.Helper()
	j := open(t, dir)
	known := itemsOf(t, j, ids...)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return known
}

// itemsOf is what a journal knows of some items.
func itemsOf(t testing.TB, j *Journal, ids ...string) map[string]Item {
	t.Helper()
	known := make(map[string]Item)
	for _, id := range ids {
		it, err := j.Item(id)
		if err != nil {
			t.Fatal(err)
		}
		if last, err := j.Last(id); err != nil || last != it.Last {
			t.Errorf("item %s is %q in the index (%v), and %q in the file", id, last, err, it.Last)
		}
		if it.Last != "" {
			known[id] = it
		}
	}
	return known
}

// numbered are ids of n items.
func numbered(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	return ids
}

func TestWhatWasAddedIsThereAgain(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	add(t, j,
		Entry{Kind: Done, ID: "a", Attempts: 1, Data: json.RawMessage(`"r"`)},
		Entry{Kind: Dead, ID: "b", Attempts: 7},
		Entry{Kind: Committed, ID: "c", Data: json.RawMessage(`{}`)},
		Entry{Kind: Committed, ID: "d", Data: json.RawMessage(`{}`)},
		Entry{Kind: Done, ID: "d", Attempts: 2},
	)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	want := map[string]Item{
		"a": {Last: Done, Attempts: 1, Data: json.RawMessage(`"r"`)},
		"b": {Last: Dead, Attempts: 7},
		"c": {Last: Committed, Committed: json.RawMessage(`{}`)},
		"d": {Last: Done, Attempts: 2, Committed: json.RawMessage(`{}`)},
	}
	for range 3 { // folding changes nothing
		if d := cmp.Diff(want, reopened(t, dir, "a", "b", "c", "d", "e")); d != "" {
			t.Fatalf("differs (-want +got):\n%s", d)
		}
	}
}

func TestADeadItemThatIsBegunAgain(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	add(t, j, Entry{Kind: Dead, ID: "a", Attempts: 7}, Entry{Kind: Done, ID: "a", Attempts: 1})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if got := reopened(t, dir, "a")["a"]; got.Last != Done {
		t.Errorf("it is %q, want done", got.Last)
	}
}

// Whatever happens to the end of a file, what stands before it is there.
func TestADamagedEndIsMended(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := filepath.Join(t.TempDir(), "journal") // t's: each round has a folder of its own
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		j := open(t, dir)
		const n = 5
		for i := range n {
			add(t, j, Entry{Kind: Done, ID: fmt.Sprint(i), Attempts: 1})
		}
		path := j.f.Name()
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		last := strings.LastIndexByte(strings.TrimSuffix(string(b), "\n"), '\n') + 1
		if rapid.Bool().Draw(rt, "cut") {
			b = b[:rapid.IntRange(last, len(b)-1).Draw(rt, "at")]
		} else {
			b[rapid.IntRange(last, len(b)-1).Draw(rt, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		again := open(t, dir)
		add(t, again, Entry{Kind: Done, ID: "new"})
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		got := reopened(t, dir, append(numbered(n), "new")...)
		for i := range n - 1 {
			if got[fmt.Sprint(i)].Last != Done {
				rt.Fatalf("item %d is forgotten", i)
			}
		}
		if got[fmt.Sprint(n-1)].Last == Done && len(b) > 0 && again.Damaged > 0 {
			rt.Fatal("the damaged line was believed")
		}
		if got["new"].Last != Done {
			rt.Fatal("what was added after the damage is lost")
		}
	})
}

func TestASecondRunIsToldOfTheFirst(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	_, err := Open(dir)
	busy, ok := errors.AsType[*Busy](err)
	if !ok || busy.PID != os.Getpid() {
		t.Errorf("Open = %v, want *Busy with process %d", err, os.Getpid())
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	reopened(t, dir)
}

// The run was killed, and one of its workers has not noticed yet.
func TestOpenWaitsForTheLastWriter(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	last, err := NewWriter(dir, "worker")
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var ended atomic.Bool
	next := make(chan *Journal)
	go func() {
		again, err := Open(dir)
		if err != nil {
			t.Error(err)
		}
		if !ended.Load() {
			t.Error("it was opened while the writer lived")
		}
		next <- again
	}()
	for i := range 50 {
		add(t, last, Entry{Kind: Committed, ID: fmt.Sprint(i), Data: json.RawMessage(`1`)})
		if err := last.Sync(); err != nil {
			t.Error(err)
		}
	}
	ended.Store(true)
	if err := last.Close(); err != nil {
		t.Error(err)
	}
	again := <-next
	if again == nil {
		return
	}
	if n := len(itemsOf(t, again, numbered(51)...)); n != 50 {
		t.Errorf("it has %d of the 50 entries that the last writer added", n)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestManyWritersOfOneRun(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			own, err := NewWriter(dir, fmt.Sprint("worker-", w))
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 50 {
				if err := own.Add(Entry{Kind: Committed, ID: fmt.Sprintf("%d-%d", w, i), Data: json.RawMessage(`1`)}); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					if err := own.Sync(); err != nil {
						t.Error(err)
					}
				}
			}
			if err := own.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for w := range 4 {
		for i := range 51 {
			ids = append(ids, fmt.Sprintf("%d-%d", w, i))
		}
	}
	if n := len(reopened(t, dir, ids...)); n != 200 {
		t.Errorf("%d items, want 200", n)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(files) > 2 {
		t.Errorf("files %v (%v), want them folded into one and the newest", files, err)
	}
}
