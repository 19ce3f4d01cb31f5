package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"sluice.dev/internal/digestset"
	"sluice.dev/producer"
	"sluice.dev/queue"
)

// known is what a run has had already. The store need not remember it: it
// forgets what is done, so that a run of ten million items needs no more memory
// than one of a hundred thousand.
type known struct{ items, outputs digestset.Set }

// outcome is what becomes of an item that the run has had before, or whose
// output is that of another one; 0 for a new one.
func (k *known) outcome(it queue.Item) (queue.Outcome, error) {
	fresh, err := k.items.Add(it.ID)
	switch {
	case err != nil:
		return 0, err
	case !fresh:
		return queue.Duplicate, nil
	case it.Output == "":
		return 0, nil
	}
	if fresh, err = k.outputs.Add(it.Output); err != nil || fresh {
		return 0, err
	}
	return queue.OutputTaken, nil
}

func (k *known) close() error { return errors.Join(k.items.Close(), k.outputs.Close()) }

// retention is how long the store of a run keeps what is done: hardly at all, since
// the run itself knows what it has had, and what it has not heard of. People's
// queues remember for a minute at least, which for fast items would be memory that
// grows with their number.
const retention = time.Second

// tally is the depth of a run's queue, with what the store has forgotten.
type tally struct {
	*queue.Queue
	added  atomic.Int64 // items that the store has got
	sealed atomic.Bool  // no more of them come

	// Of the last look:
	done  int64
	whole bool // no more items came after it began
}

// Depth counts as done what was added and is nothing else any more.
func (t *tally) Depth(ctx context.Context) (queue.Depth, error) {
	// Before the look: what comes meanwhile is not done, and was not seen.
	added, sealed := t.added.Load(), t.sealed.Load()
	d, err := t.Queue.Depth(ctx)
	if err != nil {
		return d, err
	}
	t.done = max(t.done, d.Done, added-(d.Total()-d.Done))
	d.Done, t.whole = t.done, sealed
	return d, nil
}

// Enqueue counts what is added. An item that the queue has already is one of
// this call, whose answer was lost: the run knows all others.
func (t *tally) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	outcomes, err := t.Queue.Enqueue(ctx, items)
	n := int64(0)
	for _, o := range outcomes {
		if o == queue.Added || o == queue.Duplicate {
			n++
		}
	}
	t.added.Add(n)
	return outcomes, err
}

// gate passes items over that need no run.
type gate struct {
	run  *run
	next producer.Enqueuer
}

// Enqueue implements producer.Enqueuer. An item that was over before counts as
// added, since the input has it.
func (g gate) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	outcomes := make([]queue.Outcome, len(items))
	var fresh []queue.Item
	var at []int // where those stand in items
	for i, it := range items {
		o, err := g.run.known.outcome(it)
		if err != nil {
			return nil, err
		}
		if o == 0 {
			if o, err = g.run.state.outcome(it); err != nil {
				return nil, err
			}
		}
		if outcomes[i] = o; o == 0 {
			fresh, at = append(fresh, it), append(at, i)
		}
	}
	if len(fresh) == 0 {
		return outcomes, nil
	}
	if err := g.run.state.prepare(fresh); err != nil {
		return nil, err
	}
	answers, err := g.next.Enqueue(ctx, fresh)
	for i, o := range answers {
		outcomes[at[i]] = o
	}
	return outcomes, err
}
