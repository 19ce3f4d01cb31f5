package queuetest

import (
	"fmt"
	"time"

	"sluice.dev/queue"
)

// clock bounds from above how much time has passed by the store's clock, which
// a test can move on but not read.
type clock struct {
	start    time.Time
	advanced time.Duration
}

func (c clock) now() time.Duration { return time.Since(c.start) + c.advanced }

// pass moves the store's clock on by d if it can be set. Otherwise time passes
// by itself, and what must come of it has to be awaited.
func (q *subject) pass(d time.Duration) {
	if q.h.Advance != nil {
		q.h.Advance(d)
		q.clock.advanced += d
	}
}

// idle lets d pass by the store's clock while nobody looks.
func (q *subject) idle(d time.Duration) {
	q.Helper()
	if q.pass(d); q.h.Advance != nil {
		return
	}
	select {
	case <-time.After(d):
	case <-q.ctx.Done():
		q.Fatalf("idle: %v", q.ctx.Err())
	}
}

// eventually waits for what must come, looking every few milliseconds; missing
// says what there is instead, or nil.
func (q *subject) eventually(missing func() error) {
	q.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := missing()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			q.Fatalf("after %s still: %v", patience, err)
		}
	}
}

// after lets d pass by the store's clock and wants these counts then. Reading
// the depth changes nothing, so that this is also a way to do nothing for d.
func (q *subject) after(d time.Duration, want queue.Depth) {
	q.Helper()
	q.pass(d)
	q.eventually(func() error {
		q.Helper()
		if got := counts(q.depth()); got != counts(want) {
			return fmt.Errorf("depth is %+v, want %+v", got, counts(want))
		}
		return nil
	})
}

// wantDue wants a delayed item to come due a delay after an event that was not
// before since (of clock.now): up to half as much later, which is the most
// that jitter may add.
func (q *subject) wantDue(id string, delay, since time.Duration) {
	q.Helper()
	r := q.record(id)
	if r.State != queue.Delayed {
		q.Fatalf("%q is %s, want it delayed", id, r.State)
	}
	passed := q.clock.now() - since
	// Stores round to their own grain: a millisecond either way.
	low, high := delay-passed-time.Millisecond, delay*3/2+time.Millisecond
	if r.Due < low || r.Due > high {
		q.Fatalf("%q is due in %s, want %s to %s", id, r.Due, low, high)
	}
}
