package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
)

// Twenty workers, each on a pipe of the system, write to one console.
func TestItemsOfManyWorkersDoNotMix(t *testing.T) {
	const workers, items = 20, 25
	var out, stderr buffer
	c := New(Options{Stdout: &out, Stderr: &stderr})
	var all sync.WaitGroup
	for i := range workers {
		r, pipe, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer r.Close()
			if err := ReadFrames(r, c); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			defer pipe.Close()
			w := NewFrameWriter(pipe)
			for j := range items {
				id := fmt.Sprintf("%d.%d", i, j)
				n := []int{1, 100, 50_000}[j%3] // the last is more than is held
				if err := w.Item(ItemHead{ID: id}, strings.NewReader(strings.Repeat(id+"\n", n)), strings.NewReader(id+"\n")); err != nil {
					t.Error(err)
				}
				c.Update(Snapshot{Done: int64(j)})
			}
		})
	}
	all.Wait()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	runs := map[string]int{}
	last := ""
	for line := range strings.Lines(out.take()) {
		if line != last {
			runs[line]++
			last = line
		}
	}
	if len(runs) != workers*items {
		t.Errorf("%d different lines, want %d", len(runs), workers*items)
	}
	for line, n := range runs {
		if n != 1 {
			t.Errorf("the output of item %q is in %d pieces", line, n)
		}
	}
	if n := strings.Count(stderr.take(), "\n"); n != workers*items {
		t.Errorf("%d lines of stderr", n)
	}
}

// A worker that stands still in the middle of a small item holds nobody up.
func TestWorkerThatStandsStillHoldsNobodyUp(t *testing.T) {
	var out buffer
	c := New(Options{Stdout: &out})
	lost, kill, read := lose(t, c, 1000)
	put(c, "other", "other\n", "", true)
	kill()
	if err := <-read; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
	c.Close()
	if got, want := out.take(), "other\n"+lost+"\n"; got != want {
		t.Errorf("got %d bytes, the last %q", len(got), got[max(0, len(got)-20):])
	}
}

// A worker that is killed in the middle of a big one gives the console back.
func TestWorkerThatIsKilledGivesTheConsoleBack(t *testing.T) {
	var out buffer
	c := New(Options{Stdout: &out})
	lost, kill, read := lose(t, c, 1_000_000)
	other := make(chan struct{})
	go func() {
		defer close(other)
		put(c, "other", "other\n", "", true)
	}()
	kill()
	if err := <-read; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
	<-other
	c.Close()
	if got, want := out.take(), lost+"\nother\n"; got != want {
		t.Errorf("got %d bytes, the last %q", len(got), got[max(0, len(got)-20):])
	}
}

// lose sends an item of that size, in two chunks at least, but for its last
// seven bytes, and returns what was sent of it once it is read. kill ends the pipe.
func lose(t *testing.T, c *Console, size int) (sent string, kill func() error, read chan error) {
	t.Helper()
	var frames bytes.Buffer
	half := strings.Repeat("l", size/2)
	chunks := io.MultiReader(strings.NewReader(half), strings.NewReader(half))
	if err := NewFrameWriter(&frames).Item(ItemHead{ID: "lost"}, chunks, nil); err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	read = make(chan error, 1)
	go func() { read <- ReadFrames(r, c) }()
	b := frames.Bytes()[:frames.Len()-headerBytes-7]
	// Who takes the second part has dealt with all frames of the first.
	for _, part := range [][]byte{b[:len(b)-1], b[len(b)-1:]} {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Repeat("l", size-7), w.Close, read
}
