package queuetest_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"sluice.dev/queue"
)

func (m *memQueue) Exchange(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
	if err := m.enter(ctx); err != nil {
		return queue.Reply{}, err
	}
	defer m.mu.Unlock()
	defer m.ring()
	last := m.replies[x.Worker]
	if last == nil {
		last = &kept{}
		m.replies[x.Worker] = last
	}
	last.seen = m.now()
	switch {
	case x.Seq < last.seq:
		return queue.Reply{}, fmt.Errorf("mem: exchange %d after %d: %w", x.Seq, last.seq, queue.ErrStale)
	case x.Seq > last.seq:
		r := queue.Reply{Gone: last.gone || last.dead, Settled: make([]error, len(x.Settle))}
		for i, s := range x.Settle {
			r.Settled[i] = m.settle(s)
		}
		if !r.Gone {
			r.Leases = m.claim(x.Worker, x.Claim)
		}
		r.Next = time.Second
		if due := m.count(func(*entry) bool { return true }).NextDue; due > 0 {
			r.Next = min(r.Next, due)
		}
		last.seq, last.reply = x.Seq, r
	}
	r := last.reply
	r.Leases = slices.Clone(r.Leases)
	for i := range r.Leases {
		r.Leases[i].Item.Payload = slices.Clone(r.Leases[i].Item.Payload)
	}
	return r, nil
}

func (m *memQueue) settle(s queue.Settlement) error {
	e := m.holder(s.Lease)
	if e == nil {
		return queue.ErrLeaseLost
	}
	now := m.now()
	switch s.Verb {
	case queue.Ack:
		e.State, e.Result, e.settled = queue.Done, slices.Clone(s.Result), now
		e.Attempts++
	case queue.Nack:
		m.fail(e, s.Failure, s.After, now)
	case queue.Bury:
		m.fail(e, s.Failure, s.After, now)
		e.State = queue.Dead
	case queue.Release:
		m.release(e, s, now)
	}
	return nil
}

func (m *memQueue) release(e *entry, s queue.Settlement, now time.Time) {
	if s.Unstarted {
		e.State, e.front, e.ready = queue.Delayed, true, now
		return
	}
	e.Releases++
	n := e.Releases - 1
	if s.Backoff {
		n++
	}
	e.State, e.front, e.ready = queue.Delayed, true, now
	if n > 0 || s.After > 0 {
		e.ready = now.Add(m.delay(e, n, s.After))
	}
	if e.Releases > *m.policy().DisruptionLimit {
		e.State, e.Failures = queue.Dead, append(e.Failures, queue.Failure{Cause: queue.CauseTooManyDisruptions})
	}
}

func (m *memQueue) claim(worker string, n int) []queue.Lease {
	type candidate struct {
		e *entry
		v entry
	}
	var ready []candidate
	for _, e := range m.entries {
		if v := m.as(e); v.State == queue.Ready && !m.held(e) {
			ready = append(ready, candidate{e, v})
		}
	}
	slices.SortStableFunc(ready, func(a, b candidate) int { return m.less(a.v, b.v) })
	var out []queue.Lease
	for _, c := range ready[:min(n, len(ready))] {
		*c.e = c.v // what time did is a fact now: another has it
		m.token = max(m.token+1, uint64(m.now().UnixMicro()))
		c.e.State, c.e.Token, c.e.Worker, c.e.deadline = queue.Leased, m.token, worker, m.now().Add(m.policy().Lease)
		it := c.e.Item
		it.Payload = slices.Clone(it.Payload)
		out = append(out, queue.Lease{
			Item: it, Token: m.token, Attempt: c.e.Attempts + 1, TTL: m.policy().Lease, Committed: slices.Clone(c.e.committed),
			Again: c.e.Attempts+c.e.Releases+len(c.e.Failures) > 0,
		})
	}
	return out
}

func (m *memQueue) Extend(ctx context.Context, _ string, leases []queue.Lease) ([]error, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	errs := make([]error, len(leases))
	for i, l := range leases {
		if e := m.holder(l); e != nil {
			if until := m.now().Add(m.policy().Lease); until.After(e.deadline) {
				e.deadline = until
			}
		} else {
			errs[i] = queue.ErrLeaseLost
		}
	}
	return errs, nil
}

func (m *memQueue) Commit(ctx context.Context, l queue.Lease, record []byte) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	e := m.holder(l)
	if e == nil {
		return queue.ErrLeaseLost
	}
	e.committed = slices.Clone(record)
	return nil
}

func (m *memQueue) Wait(ctx context.Context, worker string, limit time.Duration) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	m.mu.Unlock()
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		m.mu.Lock()
		changed, paused := m.changed, m.paused
		claimable := m.count(func(*entry) bool { return true }).Claimable()
		gone := m.replies[worker] != nil && m.replies[worker].gone
		m.mu.Unlock()
		if claimable > 0 || gone {
			return nil
		}
		select {
		case <-changed:
			if !paused {
				return nil
			}
		case <-t.C:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("mem: %w", ctx.Err())
		}
	}
}

func (m *memQueue) Leave(ctx context.Context, worker string, idle time.Duration) (bool, error) {
	if err := m.enter(ctx); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	d := m.count(func(e *entry) bool { return m.as(e).State != queue.Leased })
	if d.Claimable() > 0 || d.NextDue >= 0 && d.NextDue <= idle {
		return false, nil
	}
	if m.replies[worker] == nil {
		m.replies[worker] = &kept{}
	}
	m.replies[worker].gone, m.replies[worker].seen = true, m.now()
	m.ring()
	return true, nil
}

func (m *memQueue) Expire(ctx context.Context, worker string, f queue.Failure) (int, error) {
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	defer m.ring()
	n := 0
	for _, e := range m.entries {
		if v := m.as(e); v.State == queue.Leased && v.Worker == worker {
			if f.Cause == queue.CauseInterrupted {
				m.release(e, queue.Settlement{Failure: f}, m.now())
			} else {
				m.fail(e, f, 0, m.now())
			}
			e.front = true
			n++
		}
	}
	if m.replies[worker] == nil {
		m.replies[worker] = &kept{}
	}
	if f.Cause == queue.CauseInterrupted {
		m.replies[worker].gone, m.replies[worker].seen = true, m.now()
	} else {
		m.replies[worker].dead = true
	}
	return n, nil
}

func (m *memQueue) policy() queue.Policy {
	p, _ := merge(queue.DefaultPolicy(), m.stated, true)
	return p
}

func (m *memQueue) SetPolicy(ctx context.Context, p queue.Policy, force bool) (queue.Policy, error) {
	if err := m.enter(ctx); err != nil {
		return queue.Policy{}, err
	}
	defer m.mu.Unlock()
	defer m.ring()
	stated, err := merge(m.stated, p, force)
	if err != nil {
		return queue.Policy{}, err
	}
	m.stated = stated
	return m.policy(), nil
}

// merge writes what a policy states over another.
func merge(into, p queue.Policy, force bool) (queue.Policy, error) {
	names := []string{"lease", "backoffLimit", "retryDelay", "retryDelayMax", "disruptionLimit", "retention"}
	old, stated := reflect.ValueOf(&into).Elem(), reflect.ValueOf(p)
	for i, name := range names {
		was, is := old.Field(i), stated.Field(i)
		if is.IsZero() {
			continue
		}
		if !force && !was.IsZero() && !reflect.DeepEqual(was.Interface(), is.Interface()) {
			return queue.Policy{}, &queue.PolicyConflict{
				Field:   name,
				InForce: fmt.Sprint(reflect.Indirect(was)), Stated: fmt.Sprint(reflect.Indirect(is)),
			}
		}
		was.Set(is)
	}
	return into, nil
}
