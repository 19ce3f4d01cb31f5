package producer

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"sluice.dev/queue"
)

// Options says how a Producer adds items. The zero value is a good producer.
type Options struct {
	// MaxItems bounds the items of one call of the queue, 1 to
	// queue.MaxCallItems. 0: 500.
	MaxItems int
}

// ErrClosed refuses an item since Close was called.
var ErrClosed = errors.New("the producer is closed")

// Producer adds items one at a time for many goroutines, and as few calls of
// the queue as that takes: while one call is under way the items behind it
// gather, and travel in the next one. No item waits for a timer. It is safe for
// concurrent use, and has a goroutine only while a call is under way.
type Producer struct {
	q        Enqueuer
	maxItems int
	bad      error // what is wrong with the options; the answer to every Add

	mu      sync.Mutex
	closed  bool
	sending *load   // under way; nil when idle
	waiting []*load // in their order; items join the last
}

// load is the items of one call.
type load struct {
	parcels []*parcel
	bytes   int
	ctx     context.Context // of the call: ends when nobody waits for it any more
	cancel  context.CancelFunc
	waiters int
	done    chan struct{} // closed when the parcels have their answers
}

// parcel is one item and what became of it.
type parcel struct {
	item    queue.Item
	gone    bool // its Add has returned
	outcome queue.Outcome
	err     error
}

// New is a producer of items for a queue, which Close leaves open.
func New(q Enqueuer, o Options) *Producer {
	p := &Producer{q: q, maxItems: o.MaxItems}
	switch {
	case o.MaxItems < 0 || o.MaxItems > queue.MaxCallItems:
		p.bad = fmt.Errorf("maxItems %d is out of range: 1 to %d, or 0 for %d", o.MaxItems, queue.MaxCallItems, maxCallItems)
	case o.MaxItems == 0:
		p.maxItems = maxCallItems
	}
	return p
}

// Add adds an item and returns what became of it once the queue has answered.
// Items that one goroutine adds go in their order.
//
// The item is checked first, so that a bad one harms no other. An error of the
// queue is that of every item of the call without an outcome. Such an item may
// be in the queue or not: adding it again is safe. The same holds when ctx ends
// while the call is under way; before that, the item is not sent. A call is
// called off when all who wait for it have gone.
func (p *Producer) Add(ctx context.Context, it queue.Item) (queue.Outcome, error) {
	if err := it.Validate(); err != nil {
		return 0, err
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	c := &parcel{item: it}
	l, err := p.join(c)
	if err != nil {
		return 0, err
	}
	select {
	case <-l.done:
		return c.outcome, c.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.gone = true
	if l.waiters--; l.waiters == 0 && l == p.sending {
		l.cancel()
	}
	return 0, context.Cause(ctx)
}

// join puts a parcel on the load that gathers, and sees to it that it is sent.
func (p *Producer) join(c *parcel) (*load, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.bad != nil:
		return nil, p.bad
	case p.closed:
		return nil, ErrClosed
	}
	last := len(p.waiting) - 1
	if last < 0 || len(p.waiting[last].parcels) == p.maxItems || p.waiting[last].bytes+size(c.item) > maxCallBytes {
		l := &load{done: make(chan struct{})}
		l.ctx, l.cancel = context.WithCancel(context.Background())
		p.waiting = append(p.waiting, l)
		last++
	}
	l := p.waiting[last]
	l.parcels = append(l.parcels, c)
	l.bytes += size(c.item)
	l.waiters++
	if p.sending == nil {
		p.sending = p.next()
		go p.send(p.sending)
	}
	return l, nil
}

// next takes the oldest load that waits, without the parcels whose Add has
// returned; nil if none waits.
func (p *Producer) next() *load {
	if len(p.waiting) == 0 {
		return nil
	}
	l := p.waiting[0]
	p.waiting = slices.Delete(p.waiting, 0, 1)
	l.parcels = slices.DeleteFunc(l.parcels, func(c *parcel) bool { return c.gone })
	return l
}

// send sends one load after another until none waits.
func (p *Producer) send(l *load) {
	for l != nil {
		l.send(p.q)
		// Those who have their answers may have more to add: so it goes with
		// the next load, not with the one after that.
		runtime.Gosched()
		p.mu.Lock()
		l = p.next()
		p.sending = l
		p.mu.Unlock()
	}
}

// send makes the call and hands out its answers.
func (l *load) send(q Enqueuer) {
	defer close(l.done)
	defer l.cancel()
	if len(l.parcels) == 0 {
		return
	}
	items := make([]queue.Item, len(l.parcels))
	for i, c := range l.parcels {
		items[i] = c.item
	}
	outcomes, err := q.Enqueue(l.ctx, items)
	if err == nil && len(outcomes) != len(items) {
		err = fmt.Errorf("%d outcomes for %d items", len(outcomes), len(items))
	}
	for i, c := range l.parcels {
		if i < len(outcomes) {
			c.outcome = outcomes[i]
		} else {
			c.err = err
		}
	}
}

// Flush returns when every item that was added before has its answer, which its
// Add returns, or when ctx ends, with an error that is the context's.
func (p *Producer) Flush(ctx context.Context) error {
	p.mu.Lock()
	loads := slices.Clone(p.waiting)
	if p.sending != nil {
		loads = append(loads, p.sending)
	}
	p.mu.Unlock()
	for _, l := range loads {
		select {
		case <-l.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Close refuses what is added from now on and waits for what was added before.
// The contexts of the Adds bound how long that takes. It leaves the queue open.
func (p *Producer) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.Flush(context.Background()) // an error is only its context's
}
