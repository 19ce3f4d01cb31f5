package queuetest_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice.dev/queue"
)

// memQueue is a queue in memory, kept as simply as the promises allow: every
// call looks at every item, and what time does to an item is worked out when
// somebody asks. It shows that the suite can be passed.
type memQueue struct {
	now func() time.Time

	mu      sync.Mutex
	changed chan struct{} // closed and replaced by whatever may end a wait
	entries []*entry      // in the order of their enqueue
	byID    map[string]*entry
	batches []*memBatch
	paused  bool
	version int // of all that Watch tells of
	replies map[string]*kept
	stated  queue.Policy
	token   uint64
	turn    int // of the entries as they become ready
}

// entry is an item and what became of it.
type entry struct {
	queue.Record
	ready     time.Time // when a delay ends or has ended
	turn      int
	front     bool
	deadline  time.Time
	committed []byte
	settled   time.Time
}

// kept is a worker's last exchange.
type kept struct {
	seq   uint64
	reply queue.Reply
	gone  bool
	dead  bool
	seen  time.Time
}

// memServer holds queues by name, as a store does.
type memServer struct {
	now    func() time.Time
	mu     sync.Mutex
	queues map[string]*memQueue
}

func (s *memServer) open(_ testing.TB, name string) queue.Driver {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues[name] == nil {
		s.queues[name] = &memQueue{now: s.now, changed: make(chan struct{}), byID: map[string]*entry{}, replies: map[string]*kept{}}
	}
	return &memClient{memQueue: s.queues[name]}
}

// enter begins a call, unless its context has ended.
func (m *memQueue) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("mem: %w", ctx.Err())
	}
	m.mu.Lock()
	m.entries = slices.DeleteFunc(m.entries, func(e *entry) bool {
		old := e.State == queue.Done && m.now().Sub(e.settled) > m.policy().Retention
		if old {
			delete(m.byID, e.Item.ID)
		}
		return old
	})
	m.steer()
	return nil
}

// ring ends waits. Call with mu held.
func (m *memQueue) ring() {
	m.version++
	close(m.changed)
	m.changed = make(chan struct{})
}

// as is an entry with what time has done to it: a delay that ended, a deadline
// that passed. The entry itself stays, so that a late holder finds it.
func (m *memQueue) as(e *entry) entry {
	v, now := *e, m.now()
	if v.State == queue.Leased && !now.Before(v.deadline) {
		m.fail(&v, queue.Failure{Cause: queue.CauseLeaseExpired}, 0, v.deadline)
		v.front = true
	}
	if v.State == queue.Delayed && !now.Before(v.ready) {
		v.State = queue.Ready
	}
	if b := m.find(v.Item.Batch); b != nil {
		switch v.State {
		case queue.Ready, queue.Delayed:
			if b.Cancelled {
				v.State = queue.Cancelled
			} else if b.waits && v.State == queue.Ready {
				v.State = queue.Blocked
			}
		}
	}
	v.Due = 0
	switch v.State {
	case queue.Delayed:
		v.Due = v.ready.Sub(now)
	case queue.Leased:
		v.Due = v.deadline.Sub(now)
	}
	if v.State != queue.Leased {
		v.Token, v.Worker = 0, ""
	}
	return v
}

// fail counts an attempt that ended at a time.
func (m *memQueue) fail(e *entry, f queue.Failure, after time.Duration, at time.Time) {
	e.Attempts++
	e.Failures = append(slices.Clone(e.Failures), f)
	if len(e.Failures) > queue.MaxFailures {
		e.Failures = slices.Delete(e.Failures, 1, 2)
	}
	e.State, e.front, e.settled = queue.Dead, false, at
	if e.Attempts <= *m.policy().BackoffLimit {
		e.State, e.ready = queue.Delayed, at.Add(m.delay(e, e.Attempts, after))
	}
}

// delay is how long the nth wait of an item is, with jitter that is the same
// whenever it is worked out.
func (m *memQueue) delay(e *entry, n int, after time.Duration) time.Duration {
	if after > 0 {
		return after
	}
	p := m.policy()
	d := p.RetryDelay
	for range n - 1 {
		d = min(2*d, p.RetryDelayMax)
	}
	return d + d/4*time.Duration(e.Token%97)/97
}

// less is the order in which ready items are claimed.
func (m *memQueue) less(a, b entry) int {
	if a.Item.Priority != b.Item.Priority {
		return b.Item.Priority - a.Item.Priority
	}
	if a.front != b.front {
		if a.front {
			return -1
		}
		return 1
	}
	age := func(e entry) int {
		return slices.IndexFunc(m.batches, func(b *memBatch) bool { return b.Name == e.Item.Batch })
	}
	if x, y := age(a), age(b); x != y {
		return x - y
	}
	if c := a.ready.Compare(b.ready); c != 0 {
		return c
	}
	return a.turn - b.turn
}

// holder is the entry that a lease is of, or nil when the lease is lost.
func (m *memQueue) holder(l queue.Lease) *entry {
	if e := m.byID[l.Item.ID]; e != nil && e.State == queue.Leased && e.Token == l.Token {
		return e
	}
	return nil
}

func (m *memQueue) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	defer m.ring()
	out := make([]queue.Outcome, len(items))
	for i, it := range items {
		out[i] = m.add(it)
	}
	return out, nil
}

func (m *memQueue) add(it queue.Item) queue.Outcome {
	if e := m.byID[it.ID]; e != nil {
		if string(e.Item.Payload) == string(it.Payload) {
			return queue.Duplicate
		}
		return queue.Conflict
	}
	if it.Output != "" && slices.ContainsFunc(m.entries, func(e *entry) bool { return e.Item.Output == it.Output }) {
		return queue.OutputTaken
	}
	if b := m.batch(it.Batch); b.Sealed || b.Cancelled {
		return queue.BatchClosed
	}
	if it.Priority == 0 {
		it.Priority = queue.DefaultPriority
	}
	it.Payload = slices.Clone(it.Payload)
	m.turn++
	e := &entry{turn: m.turn, ready: m.now().Add(it.Delay)}
	e.Item, e.State = it, queue.Delayed
	m.entries, m.byID[it.ID] = append(m.entries, e), e
	return queue.Added
}

func (m *memQueue) Seal(ctx context.Context, batch string) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	defer m.ring()
	m.batch(batch).Sealed = true
	return nil
}

func (m *memQueue) count(keep func(*entry) bool) queue.Depth {
	d := queue.Depth{NextDue: -1, Paused: m.paused}
	for _, e := range m.entries {
		if !keep(e) {
			continue
		}
		v := m.as(e)
		switch v.State {
		case queue.Blocked:
			d.Blocked++
		case queue.Delayed:
			d.Delayed++
		case queue.Ready:
			d.Ready++
			if m.held(e) {
				d.Held++
			}
		case queue.Leased:
			d.Leased++
		case queue.Done:
			d.Done++
		case queue.Dead:
			d.Dead++
		case queue.Cancelled:
			d.Cancelled++
		}
		if v.Due > 0 && (d.NextDue < 0 || v.Due < d.NextDue) {
			d.NextDue = v.Due
		}
	}
	return d
}

func (m *memQueue) Depth(ctx context.Context) (queue.Depth, error) {
	if err := m.enter(ctx); err != nil {
		return queue.Depth{}, err
	}
	defer m.mu.Unlock()
	return m.count(func(*entry) bool { return true }), nil
}

func (m *memQueue) Items(ctx context.Context, q queue.Query) ([]queue.Record, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []queue.Record
	for _, s := range queue.States {
		if q.ID == "" && (q.States == nil && s == queue.Done || q.States != nil && !slices.Contains(q.States, s)) {
			continue
		}
		for _, e := range m.entries {
			v := m.as(e)
			if v.State != s || q.ID != "" && q.ID != v.Item.ID || q.Batch != "" && q.Batch != v.Item.Batch {
				continue
			}
			if q.Limit > 0 && len(out) == q.Limit {
				return out, nil
			}
			v.Item.Payload, v.Result = slices.Clone(v.Item.Payload), slices.Clone(v.Result)
			out = append(out, v.Record)
		}
	}
	return out, nil
}
