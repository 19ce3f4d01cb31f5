package queuetest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/queue"
)

// memClient is one client of a queue: each has seen changes of its own.
type memClient struct {
	*memQueue
	seen int
}

func (c *memClient) Close() error { return nil }

func (c *memClient) Watch(ctx context.Context, limit time.Duration) error {
	if err := c.enter(ctx); err != nil {
		return err
	}
	changed, missed := c.changed, c.seen != c.version
	c.seen = c.version
	c.mu.Unlock()
	if missed {
		return nil
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	case <-ctx.Done():
		return fmt.Errorf("mem: %w", ctx.Err())
	}
	return nil
}

func (m *memQueue) ChangeItems(ctx context.Context, v queue.ItemVerb, ids []string) ([]error, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	defer m.ring()
	errs := make([]error, len(ids))
	for i, id := range ids {
		errs[i] = m.change(v, id)
	}
	return errs, nil
}

func (m *memQueue) change(v queue.ItemVerb, id string) error {
	e := m.byID[id]
	if e == nil {
		return fmt.Errorf("mem: item %q: %w", id, queue.ErrNotFound)
	}
	now := m.as(e)
	state := now.State
	if unfinished(state) {
		state = queue.Ready // stands for all of them
	}
	switch {
	case m.publishing(e) && v != queue.RetryItem:
		return fmt.Errorf("mem: item %q: %w", id, queue.ErrCommitted)
	case v == queue.RetryItem && state == queue.Dead:
		m.turn++
		now.State, now.front, now.ready, now.turn = queue.Ready, false, m.now(), m.turn
		now.Attempts, now.Releases = 0, 0
		*e = now
	case v == queue.CancelItem && state == queue.Ready:
		now.State = queue.Cancelled
		*e = now
	case v == queue.DeleteItem:
		delete(m.byID, id)
		m.entries = slices.DeleteFunc(m.entries, func(x *entry) bool { return x == e })
	default:
		return &queue.WrongState{Verb: v, ID: id, State: state}
	}
	return nil
}

func (m *memQueue) Pause(ctx context.Context, paused bool) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	defer m.ring()
	m.paused = paused
	return nil
}

func (m *memQueue) Workers(ctx context.Context) ([]queue.WorkerInfo, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []queue.WorkerInfo
	for id, k := range m.replies {
		w := queue.WorkerInfo{ID: id, Seen: m.now().Sub(k.seen), Gone: k.gone}
		for _, e := range m.entries {
			if v := m.as(e); v.State == queue.Leased && v.Worker == id {
				w.Leases++
			}
		}
		if !k.dead && (w.Seen <= time.Hour || w.Leases > 0) {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b queue.WorkerInfo) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

func (m *memQueue) Drop(ctx context.Context) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	defer m.ring()
	m.entries, m.batches, m.byID, m.replies = nil, nil, map[string]*entry{}, map[string]*kept{}
	m.stated, m.paused, m.token = queue.Policy{}, false, 0
	return nil
}
