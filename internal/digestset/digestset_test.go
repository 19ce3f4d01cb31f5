package digestset

import (
	"errors"
	"os"
	"strconv"
	"sync"
	"testing"
)

func newSet(t testing.TB) *Set {
	t.Helper()
	s := &Set{table{dir: t.TempDir(), memory: 4 * least * size}}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// check fails unless the call says what is wanted.
func check(t testing.TB, call func(string) (bool, error), str string, want bool) {
	t.Helper()
	if got, err := call(str); err != nil || got != want {
		t.Fatalf("%q: %t, %v, want %t", str, got, err, want)
	}
}

func TestSetKeepsWhatWasAdded(t *testing.T) {
	s := newSet(t)
	const n = 3 * least // it grows twice
	check(t, s.Has, "0", false)
	for i := range n {
		str := strconv.Itoa(i)
		check(t, s.Has, str, false)
		check(t, s.Add, str, true)
		check(t, s.Add, str, false)
		check(t, s.Add, strconv.Itoa(i/2), false)
	}
	for i := range n {
		check(t, s.Has, strconv.Itoa(i), true)
		check(t, s.Has, strconv.Itoa(n+i), false)
	}
	check(t, s.Add, "", true)
	check(t, s.Has, "", true)
}

// Homes at the end of the table have their followers at its begin.
func TestSetGoesRound(t *testing.T) {
	s := newSet(t)
	check(t, s.Add, "far from the end", true)
	var d digest
	for i := range d {
		d[i] = 0xff
	}
	for i := range 3 * probe {
		d[size-1] = byte(i)
		at, found, err := s.table.find(d[:])
		if want := int64(least-1+i) % least * size; err != nil || found || at != want {
			t.Fatalf("digest %d: at %d, %t, %v, want %d", i, at, found, err, want)
		}
		if err := s.table.copy(d[:], size); err != nil {
			t.Fatal(err)
		}
		if _, found, err = s.table.find(d[:]); err != nil || !found {
			t.Fatalf("digest %d is not found, %v", i, err)
		}
	}
}

// What is more than memory should hold goes on in a file, which has no name.
func TestSetGoesOnInAFile(t *testing.T) {
	s := newSet(t)
	const n = 8 * least
	for i := range n {
		check(t, s.Add, strconv.Itoa(i), true)
	}
	if _, ok := s.table.store.(*os.File); !ok {
		t.Fatalf("%d strings are in %T", n, s.table.store)
	}
	for i := range n {
		check(t, s.Has, strconv.Itoa(i), true)
		check(t, s.Add, strconv.Itoa(i), false)
		check(t, s.Has, strconv.Itoa(n+i), false)
	}
	if names, err := os.ReadDir(s.table.dir); err != nil || len(names) > 0 {
		t.Errorf("the folder has %v, %v", names, err)
	}
}

func TestSetWithoutAFolder(t *testing.T) {
	s := &Set{table{dir: t.TempDir() + "/nothere", memory: least * size}}
	for i := 0; ; i++ {
		if _, err := s.Add(strconv.Itoa(i)); errors.Is(err, os.ErrNotExist) {
			break
		} else if err != nil || i > least {
			t.Fatalf("string %d: %v", i, err)
		}
	}
	check(t, s.Has, "0", true)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestSetForManyGoroutines(t *testing.T) {
	s := newSet(t)
	var mu sync.Mutex
	added := make(map[string]int)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 3 * least {
				str := strconv.Itoa(i)
				ok, err := s.Add(str)
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					mu.Lock()
					added[str]++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	for str, n := range added {
		if n != 1 {
			t.Errorf("%s was added %d times", str, n)
		}
	}
	if len(added) != 3*least {
		t.Errorf("%d strings were added, want %d", len(added), 3*least)
	}
}

func BenchmarkAdd(b *testing.B) {
	s := &Set{table{dir: b.TempDir()}}
	defer s.Close()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Add(strconv.Itoa(i)); err != nil {
			b.Fatal(err)
		}
	}
}
