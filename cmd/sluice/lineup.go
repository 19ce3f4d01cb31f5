package main

import (
	"context"
	"maps"
	"sync"
	"time"

	"sluice.dev/internal/console"
	"sluice.dev/queue"
)

// lineup is what a run remembers of items that are not over, for --keep-order,
// --joblog and --state. A nil one remembers nothing. The store forgets what is
// done: an item that it was given, and does not have, is done.
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
	added    bool // the store has got it
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

// added notes which of the items the store has got, and takes the others out of
// the line. One that the store has already is of this call, whose answer was lost.
func (l *lineup) added(items []queue.Item, fresh map[string]bool, outcomes []queue.Outcome) {
	if l == nil {
		return
	}
	for i, o := range outcomes {
		switch id := items[i].ID; {
		case !fresh[id]:
		case o == queue.Added || o == queue.Duplicate:
			l.mark(id)
		default:
			l.leave(id)
		}
	}
}

func (l *lineup) mark(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.items[id]; s != nil { // else it is over already
		s.added = true
	}
}

// has tells whether an item is in the line, and whether the store has got it.
func (l *lineup) has(id string) (there, added bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.items[id]
	return s != nil, s != nil && s.added
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
// when no worker has told, since it died before, and returns that end. What a live
// worker has to tell is under way for less than the time between two looks.
func (l *lineup) look(ctx context.Context, q *queue.Queue) ([]console.Event, error) {
	if l == nil || l.order == nil {
		return nil, nil
	}
	id, _ := l.order.First()
	if id == "" || id != l.first {
		l.first, l.ended = id, false
		return nil, nil
	}
	e, over, err := l.recorded(ctx, q, id)
	if err != nil {
		return nil, err
	}
	if over && l.ended {
		return []console.Event{e}, nil
	}
	l.ended = over
	return nil, nil
}

// recorded is the end of an item by the store's records, if it has ended.
func (l *lineup) recorded(ctx context.Context, q *queue.Queue, id string) (e console.Event, over bool, err error) {
	_, added := l.has(id) // before the look
	recs, err := q.Items(ctx, queue.Query{ID: id})
	switch {
	case err != nil:
		return e, false, err
	case len(recs) > 0:
		s := recs[0].State
		return l.lastEvent(recs[0]), s == queue.Done || s == queue.Dead, nil
	}
	e = console.Event{ID: id, Attempt: 1, Verb: queue.Ack, Began: time.Now(), Command: []byte("# its worker died before it told")}
	return e, added, nil
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

// untold is the ends of items that none has told of. No worker lives any more:
// what is in the line and not with the store has ended.
func (l *lineup) untold(ctx context.Context, q *queue.Queue, dead []queue.Record) (ends []console.Event, err error) {
	if l == nil {
		return nil, nil
	}
	for _, r := range dead {
		if there, _ := l.has(r.Item.ID); there {
			ends = append(ends, l.lastEvent(r))
		}
	}
	if !l.lost {
		return ends, nil
	}
	left, err := q.Items(ctx, queue.Query{})
	if err != nil {
		return ends, err
	}
	ended := maps.Clone(l.items)
	for _, r := range left {
		delete(ended, r.Item.ID)
	}
	for id := range ended {
		e, over, err := l.recorded(ctx, q, id)
		if err != nil {
			return ends, err
		}
		if over {
			ends = append(ends, e)
		}
	}
	return ends, nil
}

// close shows what is left.
func (l *lineup) close() error {
	if l == nil || l.order == nil {
		return nil
	}
	return l.order.Close()
}

// lastEvent is the end of an item as its record tells it.
func (l *lineup) lastEvent(r queue.Record) console.Event {
	e := console.Event{ID: r.Item.ID, Attempt: r.Attempts, Verb: queue.Ack, Began: time.Now(), Command: l.command.line(r.Item.Payload, 1)}
	if n := len(r.Failures); r.State == queue.Dead && n > 0 {
		e.Verb, e.Cause, e.Exit = queue.Nack, r.Failures[n-1].Cause, r.Failures[n-1].ExitCode
	}
	return e
}
