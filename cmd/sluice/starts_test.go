package main

import (
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// Whoever asks, in one process or in several, the turns are exactly so far
// apart at the least.
func TestTurnsAreApart(t *testing.T) {
	f, err := newStarts()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const every = time.Hour // nobody waits for them
	one, two := &starts{file: f, every: every}, &starts{file: f, every: every}
	var (
		mu    sync.Mutex
		turns []time.Time
		all   sync.WaitGroup
	)
	for range 20 {
		all.Go(func() {
			at, err := one.reserve()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			turns = append(turns, at)
		})
	}
	all.Wait()
	for range 20 { // another process, as far as the file can tell
		at, err := two.reserve()
		if err != nil {
			t.Fatal(err)
		}
		turns = append(turns, at)
	}
	slices.SortFunc(turns, time.Time.Compare)
	for i := range turns[1:] {
		if gap := turns[i+1].Sub(turns[i]); gap < every {
			t.Errorf("turn %d is %s after the one before, want %s at the least", i+1, gap, every)
		}
	}
	if _, err := os.Stat(f.Name()); err == nil {
		t.Error("the file of turns has a name that is left behind")
	}
}
