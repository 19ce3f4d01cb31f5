package worker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"sluice.dev/queue"
)

// memory is a store in memory that does what a test tells it to. It is as
// simple as a worker lets it be: a nack makes an item ready after ten seconds,
// a release at once.
type memory struct {
	queue.Driver // what a worker does not call

	mu        sync.Mutex
	lease     time.Duration
	items     []*record // in the order in which they are claimed
	token     uint64
	last      map[string]kept
	ring      chan struct{}
	latency   time.Duration // of an exchange
	slow      time.Duration // a renewal takes so long
	down      bool          // nothing arrives
	lose      int           // so many exchanges happen and are not answered
	broken    error         // the answer to everything
	exchanges []queue.Exchange
	extends   [][]queue.Lease
	waiting   int
	endless   bool // there is always one more item, and the done ones are forgotten
	made      int  // of those
	released  int  // leases that were given back
}

type record struct {
	id       string
	state    queue.State
	due      time.Time // of a delayed item, or the lease's deadline
	token    uint64
	attempts int
	releases int
	failure  queue.Failure
	result   string
}

// kept is the last reply to a worker.
type kept struct {
	seq   uint64
	reply queue.Reply
}

func newMemory(ids ...string) *memory {
	m := &memory{lease: 30 * time.Second, last: make(map[string]kept), ring: make(chan struct{}, 1)}
	m.add(ids...)
	return m
}

func (m *memory) add(ids ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		m.items = append(m.items, &record{id: id, state: queue.Ready})
	}
	m.sound()
}

func (m *memory) sound() {
	select {
	case m.ring <- struct{}{}:
	default:
	}
}

func numbered(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("i", i)
	}
	return ids
}

// set changes the store under its lock.
func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// record is a copy of an item's record.
func (m *memory) record(id string) record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.find(id)
}

func (m *memory) find(id string) *record {
	for _, r := range m.items {
		if r.id == id {
			return r
		}
	}
	return &record{}
}

// count counts the items in a state.
func (m *memory) count(s queue.State) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.items {
		if r.state == s {
			n++
		}
	}
	return n
}

// steal gives a leased item to another worker.
func (m *memory) steal(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.token++
	m.find(id).token = m.token
}

// exchanged is a copy of the exchanges so far.
func (m *memory) exchanged() []queue.Exchange {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.exchanges)
}

// extended is a copy of the renewals so far.
func (m *memory) extended() [][]queue.Lease {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.extends)
}

// givenBack is how many leases were released.
func (m *memory) givenBack() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.released
}

// waits is how many calls of Wait are under way.
func (m *memory) waits() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waiting
}

func (m *memory) fault(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case m.down:
		return fmt.Errorf("%w: told so", queue.ErrUnavailable)
	}
	return m.broken
}

// current is the item whose token is current, or nil.
func (m *memory) current(l queue.Lease) *record {
	if r := m.find(l.Item.ID); r.state == queue.Leased && r.token == l.Token {
		return r
	}
	return nil
}

func (m *memory) Exchange(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
	m.mu.Lock()
	latency := m.latency
	m.mu.Unlock()
	if latency > 0 {
		time.Sleep(latency) // the time that the store takes
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fault(ctx); err != nil {
		return queue.Reply{}, err
	}
	r := m.reply(x)
	if m.lose > 0 {
		m.lose--
		return queue.Reply{}, fmt.Errorf("%w: reply lost", queue.ErrUnavailable)
	}
	return r, nil
}

func (m *memory) reply(x queue.Exchange) queue.Reply {
	k := m.last[x.Worker]
	if k.seq == x.Seq {
		return k.reply
	}
	m.exchanges = append(m.exchanges, x)
	r := queue.Reply{Settled: make([]error, len(x.Settle)), Gone: k.reply.Gone}
	for i, s := range x.Settle {
		if rec := m.current(s.Lease); rec != nil {
			m.settle(rec, s)
		} else {
			r.Settled[i] = queue.ErrLeaseLost
		}
	}
	if m.endless {
		m.items = slices.DeleteFunc(m.items, func(r *record) bool { return r.state == queue.Done })
		for range x.Claim {
			m.made++
			m.items = append(m.items, &record{id: fmt.Sprint("e", m.made), state: queue.Ready})
		}
	}
	r.Next = time.Hour
	for _, rec := range m.items {
		if (rec.state == queue.Delayed || rec.state == queue.Leased) && !rec.due.After(time.Now()) {
			rec.state = queue.Ready
		}
		switch {
		case rec.state == queue.Delayed:
			r.Next = min(r.Next, time.Until(rec.due))
		case rec.state == queue.Ready && len(r.Leases) < x.Claim && !r.Gone:
			m.token++
			rec.state, rec.token, rec.due = queue.Leased, m.token, time.Now().Add(m.lease)
			r.Leases = append(r.Leases, queue.Lease{
				Item: queue.Item{ID: rec.id}, Token: rec.token, Attempt: rec.attempts + 1, TTL: m.lease,
			})
		}
	}
	if len(r.Leases) == x.Claim {
		r.Next = 0
	}
	m.last[x.Worker] = kept{x.Seq, r}
	return r
}

func (m *memory) settle(rec *record, s queue.Settlement) {
	rec.failure, rec.result = s.Failure, string(s.Result)
	switch s.Verb {
	case queue.Ack:
		rec.state = queue.Done
	case queue.Nack:
		rec.attempts++
		rec.state, rec.due = queue.Delayed, time.Now().Add(10*time.Second)
	case queue.Release:
		rec.releases++
		m.released++
		rec.state = queue.Ready
		m.sound()
	case queue.Bury:
		rec.attempts++
		rec.state = queue.Dead
	}
}

func (m *memory) Extend(ctx context.Context, _ string, leases []queue.Lease) ([]error, error) {
	m.mu.Lock()
	slow := m.slow
	m.mu.Unlock()
	if slow > 0 {
		time.Sleep(slow)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fault(ctx); err != nil {
		return nil, err
	}
	m.extends = append(m.extends, leases)
	errs := make([]error, len(leases))
	for i, l := range leases {
		if rec := m.current(l); rec != nil {
			if until := time.Now().Add(m.lease); until.After(rec.due) {
				rec.due = until
			}
		} else {
			errs[i] = queue.ErrLeaseLost
		}
	}
	return errs, nil
}

func (m *memory) Commit(ctx context.Context, l queue.Lease, _ []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fault(ctx); err != nil {
		return err
	}
	if m.current(l) == nil {
		return queue.ErrLeaseLost
	}
	return nil
}

func (m *memory) Wait(ctx context.Context, _ string, limit time.Duration) error {
	m.set(func() { m.waiting++ })
	defer m.set(func() { m.waiting-- })
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-m.ring:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fault(ctx)
}

func (m *memory) Leave(ctx context.Context, worker string, idle time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fault(ctx); err != nil {
		return false, err
	}
	for _, rec := range m.items {
		if rec.state == queue.Ready || rec.state == queue.Delayed && time.Until(rec.due) <= idle {
			return false, nil
		}
	}
	k := m.last[worker]
	k.reply.Gone = true
	m.last[worker] = k
	return true, nil
}

func (m *memory) SetPolicy(ctx context.Context, _ queue.Policy, _ bool) (queue.Policy, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := queue.DefaultPolicy()
	p.Lease = m.lease
	return p, m.fault(ctx)
}
