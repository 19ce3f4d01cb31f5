package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// MaxWeight bounds the weight of a worker in a Group.
const MaxWeight = 100

// Group is workers of several queues that share a number of slots.
//
// Shares are fair in time: while the queues have more work than slots, each
// worker has its handlers run in a part of them that is as large as its weight
// beside the weights of the others, whether its items are long or short. A
// worker without work takes nothing from the others, and they take nothing that
// it could save up: only the last ten seconds or so count. None ever starves,
// whatever the weights. But nobody is interrupted: a slot is given to another
// when the items that were claimed for it have ended, one item or some 50 ms of
// shorter ones.
//
// In all else each is the Worker that it is alone: it has an id, an observer
// and a suspicion of its own. Its Options.Slots bounds its part, for a queue
// whose handler can bear only so many at once. Attempt.Slot is unique in the
// group.
type Group struct {
	pool    *pool
	workers []*Worker
	bad     error // the first that is wrong
}

// NewGroup is a group without workers which runs at most slots handlers at
// once, 1 to MaxSlots.
func NewGroup(slots int) *Group {
	g := &Group{}
	if slots < 1 || slots > MaxSlots {
		g.bad = fmt.Errorf("slots %d of a group is out of range: 1 to %d", slots, MaxSlots)
		return g
	}
	g.pool = newPool(slots)
	return g
}

// Add gives a worker a place in the group, with a weight of 1 to MaxWeight. It
// is called before Run, which returns the first error of an Add.
func (g *Group) Add(weight int, w *Worker) {
	if g.bad == nil {
		g.bad = g.add(weight, w)
	}
}

func (g *Group) add(weight int, w *Worker) error {
	n := len(g.workers) + 1
	switch {
	case weight < 1 || weight > MaxWeight:
		return fmt.Errorf("weight %d of worker %d of a group is out of range: 1 to %d", weight, n, MaxWeight)
	case w.seat.pool != nil:
		return fmt.Errorf("worker %d of a group is in a group already: one is allowed", n)
	}
	w.seat = seat{pool: g.pool}
	o, err := w.complete()
	if err != nil {
		return fmt.Errorf("worker %d of a group: %w", n, err)
	}
	w.seat.member = g.pool.join(weight, o.Slots)
	g.workers = append(g.workers, w)
	return nil
}

// Run runs the workers until all have ended. One that ends with an error ends
// the others as the end of ctx does. The result is ResultStopped if any
// worker's is, else ResultDrained if any's is. It may be called once.
func (g *Group) Run(ctx context.Context) (Result, error) {
	if g.bad != nil {
		return ResultStopped, fmt.Errorf("worker: %w", g.bad)
	}
	if len(g.workers) == 0 {
		return ResultStopped, errors.New("worker: a group has no workers: at least one is needed")
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	results, errs := make([]Result, len(g.workers)), make([]error, len(g.workers))
	var all sync.WaitGroup
	for i, w := range g.workers {
		all.Go(func() {
			if results[i], errs[i] = w.Run(ctx); errs[i] != nil {
				stop()
			}
		})
	}
	all.Wait()
	worst := ResultLeft
	for _, r := range results {
		worst = min(worst, r)
	}
	return worst, errors.Join(errs...)
}

// Drain drains all workers.
func (g *Group) Drain() {
	for _, w := range g.workers {
		w.Drain()
	}
}
