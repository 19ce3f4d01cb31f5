package itemlog

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
)

// sink is a writer that another goroutine reads.
type sink struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := newWriter(t, dir, MinLimit)
		h := head("a", 1)
		l := begin(t, w, h, "one\n", "")
		var out, errs sink
		var last Entry
		followed := make(chan error, 1)
		go func() {
			var err error
			last, err = Follow(t.Context(), one(t, dir, "a"), &out, &errs)
			followed <- err
		}()
		want := func(stdout, stderr string) {
			t.Helper()
			time.Sleep(2 * lookEvery)
			synctest.Wait()
			if out.String() != stdout || errs.String() != stderr {
				t.Fatalf("followed %d and %d bytes, want %d and %d", len(out.String()), len(errs.String()), len(stdout), len(stderr))
			}
		}
		want("one\n", "")
		l.Stderr.WriteString("oops")
		want("one\n", "oops")
		if err := l.Stdout.Truncate(0); err != nil { // by a command that opened it anew
			t.Fatal(err)
		}
		want("one\n", "oops")
		l.Stdout.WriteString("two\n")
		want("one\ntwo\n", "oops")

		long := strings.Repeat("x", 3*MinLimit)
		l.Stdout.WriteString(long)
		if err := l.Close(); err != nil { // which cuts it, but not for who follows
			t.Fatal(err)
		}
		want("one\ntwo\n"+long, "oops")
		end(t, w, h, queue.Settlement{Verb: queue.Ack}, nil)
		if err := <-followed; err != nil || last.Outcome != Done {
			t.Errorf("%s (%v)", last.Outcome, err)
		}
		if got := out.String(); got != "one\ntwo\n"+long {
			t.Errorf("in the end %d bytes", len(got))
		}
	})
}

func TestFollowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := newWriter(t, dir, 0)
		lose(t, w, head("lost", 1), "x")
		h := head("a", 2)
		l := begin(t, w, h, "x", "")
		follow(t, "with the caller", dir, "a", func(cancel func()) { cancel() }, Running)
		follow(t, "at once for the lost", dir, "lost", func(func()) {}, Lost)
		follow(t, "when it is removed", dir, "a", func(func()) {
			for _, f := range files(t, dir) {
				os.Remove(filepath.Join(dir, f))
			}
		}, Running)
		l.Close()
		l.item.Close()
	})
}

func follow(t *testing.T, name, dir, item string, end func(cancel func()), want Outcome) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out sink
	var last Entry
	e := one(t, dir, item)
	followed := make(chan error, 1)
	go func() {
		var err error
		last, err = Follow(ctx, e, &out, &out)
		followed <- err
	}()
	synctest.Wait()
	end(cancel)
	if err := <-followed; err != nil || last.Outcome != want || out.String() != "x" {
		t.Errorf("%s: %s with %q (%v)", name, last.Outcome, out.String(), err)
	}
}
