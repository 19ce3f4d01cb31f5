package producer

import (
	"context"
	"fmt"

	"sluice.dev/queue"
)

// Enqueuer is the part of a queue that takes items.
type Enqueuer interface {
	Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error)
}

// EnqueueOptions says how items are added. The zero value adds them as fast as
// the queue takes them, and fails at an output that exists.
type EnqueueOptions struct {
	Outputs Outputs

	// Room is called before each call of the queue, with how many items it
	// will add, and may wait: it holds a fast pipe back. Its error ends the
	// enqueue. nil never waits.
	Room func(ctx context.Context, n int) error
}

// Limits of one call of the queue.
const (
	maxCallItems = 500
	maxCallBytes = 1 << 20 // of payloads, ids and outputs; an item above it goes alone
)

// Refused is an item that the queue did not take.
type Refused struct {
	Pos     Position
	Item    queue.Item
	Outcome queue.Outcome
}

func (e *Refused) Error() string {
	switch e.Outcome {
	case queue.Conflict:
		return fmt.Sprintf("%s: the queue has an item %s with another payload", e.Pos, e.Item.ID)
	case queue.OutputTaken:
		return fmt.Sprintf("%s: another item of the queue publishes output %s", e.Pos, e.Item.Output)
	case queue.BatchClosed:
		return fmt.Sprintf("%s: batch %q is sealed, cancelled or past its deadline", e.Pos, e.Item.Batch)
	}
	return fmt.Sprintf("%s: the queue answered %s for item %s", e.Pos, e.Outcome, e.Item.ID)
}

// StoreError is a call of the queue that failed, for the records from First to
// Last.
type StoreError struct {
	First, Last Position
	Err         error
}

func (e *StoreError) Error() string {
	if e.First == e.Last {
		return fmt.Sprintf("%s: %v", e.First, e.Err)
	}
	return fmt.Sprintf("%s to %s: %v", e.First, e.Last, e.Err)
}

func (e *StoreError) Unwrap() error { return e.Err }

// Enqueue adds the items of a source, many a call. An item waits for nothing
// but the call before: while one is under way the items behind it gather, up
// to 500 or 1 MiB, and then the source is held back.
//
// At an error in the input, what came before it is enqueued. Otherwise the
// error is a *Refused (the others of its call are settled), a *StoreError,
// Room's, or the cause of ctx. The report says what was enqueued, in every
// case but that of a call whose answer was lost.
//
// Source and Maker are used by another goroutine, which has ended when Enqueue
// returns nil or an error of the input. After another error it ends with the
// read that it is in: closing the reader ends that.
func Enqueue(ctx context.Context, q Enqueuer, src Source, m *Maker, o EnqueueOptions) (Report, error) {
	var rep Report
	if err := o.Outputs.validate(); err != nil {
		return rep, err
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	f := feed{ready: make(chan call, 1)}
	go f.run(inner, src, m, o.Outputs)
	for {
		select {
		case <-ctx.Done():
			return rep, context.Cause(ctx)
		case c, more := <-f.ready:
			if !more {
				return rep, f.err
			}
			if err := c.send(ctx, q, o.Room, &rep); err != nil {
				return rep, err
			}
		}
	}
}

// call is what goes to the queue at once.
type call struct {
	items   []queue.Item
	pos     []Position
	bytes   int
	skipped int64
}

func (c *call) add(it queue.Item, pos Position) {
	c.items = append(c.items, it)
	c.pos = append(c.pos, pos)
	c.bytes += size(it)
}

func (c *call) hasRoom(it queue.Item) bool {
	return len(c.items) == 0 || len(c.items) < maxCallItems && c.bytes+size(it) <= maxCallBytes
}

func size(it queue.Item) int { return len(it.ID) + len(it.Payload) + len(it.Output) }

func (c *call) send(ctx context.Context, q Enqueuer, room func(context.Context, int) error, rep *Report) error {
	rep.Skipped += c.skipped
	rep.Lines += c.skipped
	n := len(c.items)
	if n == 0 {
		return nil
	}
	if room != nil {
		if err := room(ctx, n); err != nil {
			return err
		}
	}
	outcomes, err := q.Enqueue(ctx, c.items)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil && len(outcomes) != n {
		err = fmt.Errorf("%d outcomes for %d items", len(outcomes), n)
	}
	if err != nil {
		return &StoreError{First: c.pos[0], Last: c.pos[n-1], Err: err}
	}
	rep.Lines += int64(n)
	var refused error
	for i, outcome := range outcomes {
		switch outcome {
		case queue.Added:
			rep.Items++
		case queue.Duplicate:
			rep.Duplicates++
		default:
			if refused == nil {
				refused = &Refused{Pos: c.pos[i], Item: c.items[i], Outcome: outcome}
			}
		}
	}
	return refused
}

// feed makes items of a source and gathers them for as long as nobody takes
// them.
type feed struct {
	ready chan call // of one: the call that gathers; closed at the end
	err   error     // of the input; to be read once ready is closed
}

func (f *feed) run(ctx context.Context, src Source, m *Maker, o Outputs) {
	defer close(f.ready)
	var n int64
	for r, err := range src {
		n++
		if err == nil {
			err = f.record(ctx, m, o, n, r)
		}
		if err != nil {
			f.err = err
			return
		}
	}
}

func (f *feed) record(ctx context.Context, m *Maker, o Outputs, n int64, r Record) error {
	it, err := m.Make(ctx, n, r)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Pos, err)
	}
	blocked, err := o.blocks(ctx, it, r.Pos)
	switch {
	case err != nil:
		return err
	case !blocked:
		return f.put(ctx, &it, r.Pos)
	case o.Existing == Skip:
		return f.put(ctx, nil, r.Pos)
	}
	return fmt.Errorf("%s: output %s %w", r.Pos, it.Output, errExists)
}

// put adds an item, or a skipped line if it is nil, to the call that gathers.
// It takes the call back out of ready, where a free taker would have got it;
// no one else sends, so that what it took it can put back at once. A call
// without room is left to the taker, for which the next one waits.
func (f *feed) put(ctx context.Context, it *queue.Item, pos Position) error {
	var c call
	select {
	case c = <-f.ready:
	default:
	}
	if it != nil && !c.hasRoom(*it) {
		f.ready <- c
		c = call{}
	}
	if it == nil {
		c.skipped++
	} else {
		c.add(*it, pos)
	}
	select {
	case f.ready <- c:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
