package worker

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
)

// running is a worker under test, in a bubble of fake time.
type running struct {
	*Worker
	t     *testing.T
	store *memory
	stop  context.CancelFunc
	done  chan struct{} // closed when Run has returned
	got   Result
	err   error
	slept atomic.Int64 // how long the machine was suspended

	mu       sync.Mutex
	started  []string
	ends     []End
	suspects []string
}

// run runs a worker on a store until the test ends at the latest.
func run(t *testing.T, m *memory, h HandlerFunc, o Options) *running { return runHandler(t, m, h, o) }

func runHandler(t *testing.T, m *memory, h Handler, o Options) *running {
	ctx, stop := context.WithCancel(t.Context())
	r := &running{t: t, store: m, stop: stop, done: make(chan struct{})}
	o.Observer = Observer{
		Started: func(l queue.Lease, _ int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.started = append(r.started, l.Item.ID)
		},
		Settled: func(e End) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ends = append(r.ends, e)
		},
		Suspect: func(reason string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.suspects = append(r.suspects, reason)
		},
	}
	r.Worker = New(queue.New(m), h, o)
	epoch := time.Now().Add(-time.Hour)
	r.clock = func() time.Duration { return time.Since(epoch) + time.Duration(r.slept.Load()) }
	go func() {
		defer close(r.done)
		r.got, r.err = r.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-r.done
	})
	return r
}

// wait waits for Run to return, and wants this result.
func (r *running) wait(want Result) {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(24 * time.Hour):
		r.t.Fatal("Run has not returned after a day")
	}
	if r.got != want || r.err != nil {
		r.t.Errorf("Run returned %s, %v; want %s", r.got, r.err, want)
	}
}

// startedItems is a copy of the ids whose handlers were started.
func (r *running) startedItems() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.started)
}

// settled is a copy of the ends so far.
func (r *running) settled() []End {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ends)
}

// verbs is how an item's leases ended.
func (r *running) verbs(id string) (verbs []queue.Verb) {
	for _, e := range r.settled() {
		if e.Lease.Item.ID == id {
			verbs = append(verbs, e.Verb)
		}
	}
	return verbs
}

// takes is a handler that takes so long, unless it is interrupted.
func takes(d time.Duration) HandlerFunc {
	return func(ctx context.Context, _ *Attempt) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// inFakeTime runs a test in a bubble, where waiting takes no time.
func inFakeTime(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
