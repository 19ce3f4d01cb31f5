package queuetest

import (
	"context"
	"errors"
	"time"

	"sluice.dev/queue"
)

var waitSentences = []sentence{
	{"a wait ends at its limit", func(q *subject) {
		start := time.Now()
		if err := q.d.Wait(q.ctx, 2*short); err != nil {
			q.Fatalf("Wait: %v", err)
		}
		if took := time.Since(start); took < short || took > soon {
			q.Errorf("a wait of %s on an empty queue took %s", 2*short, took)
		}
	}},
	{"an enqueue by another client ends a wait", func(q *subject) {
		other := q.another()
		q.worker("w").claimsNothing()
		start := time.Now()
		waited := q.waiting(q.ctx)
		if _, err := other.Enqueue(q.ctx, []queue.Item{{ID: "a"}}); err != nil {
			q.Fatalf("Enqueue: %v", err)
		}
		q.wantWoken(<-waited, start)
		q.worker("w").claims("a")
	}},
	{"a release ends a wait", func(q *subject) {
		w, idle := q.worker("w"), q.worker("idle")
		q.putIDs("a")
		l := w.claims("a")[0]
		idle.claimsNothing()
		start := time.Now()
		waited := q.waiting(q.ctx)
		w.releases(l)
		q.wantWoken(<-waited, start)
		idle.claims("a")
	}},
	{"a worker that waits gets an item when its delay ends", func(q *subject) {
		delay := 3 * short
		q.worker("w").claimsNothing()
		got := q.claiming("w")
		start := time.Now()
		q.put(queue.Item{ID: "a", Delay: delay})
		q.pass(delay)
		q.wantClaimed(got, start, delay)
	}},
	{"a worker that waits gets an item when its lease ends", func(q *subject) {
		lease := 3 * short
		q.force(queue.Policy{Lease: lease, RetryDelay: shortest})
		q.putIDs("a")
		q.worker("silent").claims("a")
		start := time.Now()
		got := q.claiming("w")
		q.pass(2 * lease)
		q.wantClaimed(got, start, lease)
	}},
	{"a wait ends with its context", func(q *subject) {
		ctx, cancel := context.WithCancel(q.ctx)
		waited := q.waiting(ctx)
		start := time.Now()
		cancel()
		if err := <-waited; !errors.Is(err, context.Canceled) {
			q.Errorf("Wait after a cancel: %v, want %v", err, context.Canceled)
		}
		if took := time.Since(start); took > soon {
			q.Errorf("Wait went on for %s after its context was cancelled", took)
		}
	}},
}

// waiting waits, for so long that only an event can end it in time.
func (q *subject) waiting(ctx context.Context) <-chan error {
	waited := make(chan error, 1)
	q.background(ctx, func(ctx context.Context) { waited <- q.d.Wait(ctx, 2*soon) })
	return waited
}

func (q *subject) wantWoken(err error, start time.Time) {
	q.Helper()
	if err != nil {
		q.Fatalf("Wait: %v", err)
	}
	if took := time.Since(start); took > soon {
		q.Errorf("Wait took %s, want milliseconds", took)
	}
}

// background runs f beside the sentence and ends it before the driver closes.
func (q *subject) background(ctx context.Context, f func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f(ctx)
	}()
	q.Cleanup(func() {
		cancel()
		<-ended
	})
}

// claimed is what a waiting worker got, and by how many looks.
type claimed struct {
	looks  int
	leases []queue.Lease
	err    error
}

// claiming claims as workers do: it looks, and waits for as long as the store
// says before it looks again.
func (q *subject) claiming(worker string) <-chan claimed {
	w := q.worker(worker)
	done := make(chan claimed, 1)
	q.background(q.ctx, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 2*soon)
		defer cancel()
		var c claimed
		for c.err == nil && len(c.leases) == 0 {
			c.looks++
			var r queue.Reply
			if r, c.err = q.d.Exchange(ctx, w.number(queue.Exchange{Claim: 1})); c.err == nil {
				if c.leases = r.Leases; len(r.Leases) == 0 {
					c.err = q.d.Wait(ctx, r.Next)
				}
			}
		}
		done <- c
	})
	return done
}

// wantClaimed wants a waiting worker to get its item soon after the delay, and
// not by polling for it.
func (q *subject) wantClaimed(got <-chan claimed, start time.Time, delay time.Duration) {
	q.Helper()
	c := <-got
	if c.err != nil {
		q.Fatalf("claim and wait: %v, after %d looks in %s", c.err, c.looks, time.Since(start))
	}
	if took := time.Since(start); took > delay+soon {
		q.Errorf("the item was claimed after %s, want it soon after %s", took, delay)
	}
	if c.looks > 20 {
		q.Errorf("a waiting worker looked %d times in %s", c.looks, time.Since(start))
	}
}
