package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"sluice.dev/queue"
)

var waitSentences = []sentence{
	{"a worker that finds an empty queue need not look again at once", func(q *subject) {
		if next := q.worker("w").send(queue.Exchange{Claim: 1}).Next; next < short {
			q.Errorf("Next is %s, want it at least %s: a waiting claim does not poll", next, short)
		}
	}},
	{"a wait ends at its limit", func(q *subject) {
		start := time.Now()
		if err := q.d.Wait(q.ctx, "w", 2*short); err != nil {
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
		c := q.claiming("w")
		c.look()
		start := time.Now()
		q.put(queue.Item{ID: "a", Delay: delay})
		c.look()
		q.pass(delay)
		c.wantClaimed(start, delay)
	}},
	{"a worker that waits gets an item when its lease ends", func(q *subject) {
		lease := 3 * short
		q.force(queue.Policy{Lease: lease, RetryDelay: shortest})
		q.putIDs("a")
		q.worker("silent").claims("a")
		start := time.Now()
		c := q.claiming("w")
		c.look()
		q.pass(2 * lease)
		c.wantClaimed(start, lease)
	}},
	{"leave that another asked for ends the worker's wait, also one that begins after", func(q *subject) {
		w := q.worker("w")
		q.worker("w2").claimsNothing()
		w.claimsNothing()
		first, other := q.waitingAs(q.ctx, "w"), q.waitingAs(q.ctx, "w2")
		q.wantLeave("w", minute, true)
		start := time.Now()
		q.wantWoken(<-first, start)
		if r := w.send(queue.Exchange{Claim: 1}); !r.Gone {
			q.Error("the worker is woken and not told that it may leave")
		}
		q.wantLeave("w2", minute, true)
		q.wantWoken(<-other, start)
		q.worker("w3").claimsNothing()
		q.wantLeave("w3", minute, true)
		q.wantWoken(<-q.waitingAs(q.ctx, "w3"), start)
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

// waiting waits as a worker that nothing else is told of, for so long that only an
// event can end it in time.
func (q *subject) waiting(ctx context.Context) <-chan error { return q.waitingAs(ctx, "waits") }

func (q *subject) waitingAs(ctx context.Context, worker string) <-chan error {
	waited := make(chan error, 1)
	q.background(ctx, func(ctx context.Context) { waited <- q.d.Wait(ctx, worker, 2*soon) })
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

// claiming is a worker that claims as workers do: it looks, and waits for as
// long as the store says before it looks again.
type claiming struct {
	q     *subject
	looks atomic.Int64
	seen  int64 // the looks that look has awaited
	ended chan error
}

func (q *subject) claiming(worker string) *claiming {
	c := &claiming{q: q, ended: make(chan error, 1)}
	w := q.worker(worker)
	q.background(q.ctx, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 2*soon)
		defer cancel()
		for {
			r, err := q.d.Exchange(ctx, w.number(queue.Exchange{Claim: 1}))
			c.looks.Add(1)
			if err == nil && len(r.Leases) == 0 {
				err = q.d.Wait(ctx, worker, r.Next)
			}
			if err != nil || len(r.Leases) > 0 {
				c.ended <- err
				return
			}
		}
	})
	return c
}

// look awaits the end of a look that earlier calls have not awaited.
func (c *claiming) look() {
	c.q.Helper()
	c.q.eventually(func() error {
		if n := c.looks.Load(); n <= c.seen {
			return fmt.Errorf("a waiting worker has looked %d times", n)
		}
		return nil
	})
	c.seen = c.looks.Load()
}

// wantClaimed wants the worker to get its item soon after the delay, and not
// by polling for it.
func (c *claiming) wantClaimed(start time.Time, delay time.Duration) {
	c.q.Helper()
	if err := <-c.ended; err != nil {
		c.q.Fatalf("a waiting worker: %v, after %d looks in %s", err, c.looks.Load(), time.Since(start))
	}
	took, looks := time.Since(start), c.looks.Load()
	if took > delay+soon {
		c.q.Errorf("the item was claimed after %s, want it soon after %s", took, delay)
	}
	if looks > 20 {
		c.q.Errorf("a waiting worker looked %d times in %s", looks, took)
	}
}
