package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice.dev/internal/console"
	"sluice.dev/queue"
)

// lineup is what a run remembers of items that are not over, for --keep-order
// and --joblog. A nil one remembers nothing.
type lineup struct {
	order   *console.Order // nil without --keep-order
	log     *joblog        // nil without --joblog
	command parsed

	mu    sync.Mutex
	items map[string]*standing
	lost  bool // a worker died, and with it what it may have had to tell

	// Of the goroutine that looks at the queue.
	first string // whom the others wait for
	ended bool   // it was over at the last look, and nobody had told
}

// standing is an item that is not over.
type standing struct {
	seq      int64
	attempt  int
	received int64 // bytes of stdout in this attempt
}

// expect puts items in the line before they are enqueued, since their output
// may come before the answer. It returns the ones that were not there.
func (l *lineup) expect(items []queue.Item) map[string]bool {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := make(map[string]bool)
	for _, it := range items {
		if l.items[it.ID] == nil {
			l.items[it.ID] = &standing{seq: l.log.next()}
			fresh[it.ID] = true
			if l.order != nil {
				l.order.Expect(it.ID)
			}
		}
	}
	return fresh
}

// known takes those out of the line that were over before.
func (l *lineup) known(items []queue.Item, fresh map[string]bool, outcomes []queue.Outcome) {
	if l == nil {
		return
	}
	added := make(map[string]bool)
	for i, o := range outcomes {
		if o == queue.Added {
			added[items[i].ID] = true
		}
	}
	for id := range fresh {
		if !added[id] {
			l.leave(id)
		}
	}
}

// leave takes an item out of the line, nil if it is not there.
func (l *lineup) leave(id string) *standing {
	l.mu.Lock()
	s := l.items[id]
	delete(l.items, id)
	l.mu.Unlock()
	if s != nil && l.order != nil {
		l.order.Over(id)
	}
	return s
}

// over notes the last event of an item.
func (l *lineup) over(e console.Event) {
	if l == nil {
		return
	}
	if s := l.leave(e.ID); s != nil {
		l.log.add(s.seq, s.received, e)
	}
}

// received counts what an item has written to its stdout.
func (l *lineup) received(h console.ItemHead, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.items[h.ID]; s != nil {
		if s.attempt != h.Attempt {
			s.attempt, s.received = h.Attempt, 0
		}
		s.received += int64(n)
	}
}

// look finds out by the queue's records that the first of the line is over
// when no worker has told, since it died before. What a live worker has to
// tell is under way for less than the time between two looks.
func (l *lineup) look(ctx context.Context, q *queue.Queue) error {
	if l == nil || l.order == nil {
		return nil
	}
	id, _ := l.order.First()
	if id == "" || id != l.first {
		l.first, l.ended = id, false
		return nil
	}
	recs, err := q.Items(ctx, queue.Query{ID: id})
	if err != nil || len(recs) == 0 {
		return err
	}
	switch over := recs[0].State == queue.Done || recs[0].State == queue.Dead; {
	case over && l.ended:
		l.over(l.lastEvent(recs[0]))
	default:
		l.ended = over
	}
	return nil
}

// full tells whether so many items wait for the first one that the input has
// to wait too.
func (l *lineup) full() bool {
	if l == nil || l.order == nil {
		return false
	}
	_, n := l.order.First()
	return n > 2*ahead
}

// lose notes that a worker died, whose last events may never come.
func (l *lineup) lose() {
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lost = true
	}
}

// close shows what is left, and logs it. No worker lives any more: the queue's
// records tell what became of items that none has told of.
func (l *lineup) close(ctx context.Context, q *queue.Queue, dead []queue.Record) error {
	if l == nil {
		return nil
	}
	for _, r := range dead {
		l.over(l.lastEvent(r))
	}
	var errs []error
	if l.lost {
		for _, id := range slices.Collect(maps.Keys(l.items)) {
			recs, err := q.Items(ctx, queue.Query{ID: id})
			errs = append(errs, err)
			if len(recs) > 0 && recs[0].State == queue.Done {
				l.over(l.lastEvent(recs[0]))
			}
		}
	}
	if l.order != nil {
		errs = append(errs, l.order.Close())
	}
	return errors.Join(errs...)
}

// lastEvent is the end of an item as its record tells it.
func (l *lineup) lastEvent(r queue.Record) console.Event {
	e := console.Event{ID: r.Item.ID, Attempt: r.Attempts, Verb: queue.Ack, Began: time.Now(), Command: l.command.line(r.Item.Payload, 1)}
	if n := len(r.Failures); r.State == queue.Dead && n > 0 {
		e.Verb, e.Cause, e.Exit = queue.Nack, r.Failures[n-1].Cause, r.Failures[n-1].ExitCode
	}
	return e
}
