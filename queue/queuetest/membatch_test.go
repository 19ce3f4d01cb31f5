package queuetest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice.dev/queue"
)

// memBatch is a batch. That it waits is kept, since the batch that it comes
// after may be deleted once it was complete.
type memBatch struct {
	queue.BatchInfo
	waits       bool
	made, until time.Time
	deadline    time.Duration // that was stated
}

func (m *memQueue) find(name string) *memBatch {
	for _, b := range m.batches {
		if b.Name == name {
			return b
		}
	}
	return nil
}

// batch is the batch of this name, which is made if there is none.
func (m *memQueue) batch(name string) *memBatch {
	b := m.find(name)
	if b == nil {
		b = &memBatch{made: m.now()}
		b.Name = name
		m.batches = append(m.batches, b)
	}
	return b
}

// info is a batch as it is now.
func (m *memQueue) info(b *memBatch) queue.BatchInfo {
	info, now := b.BatchInfo, m.now()
	info.Depth = m.count(func(e *entry) bool { return e.Item.Batch == b.Name })
	info.Age = now.Sub(b.made)
	if !b.until.IsZero() {
		info.Deadline = b.until.Sub(now)
	}
	return info
}

// steer does what time and other batches do to a batch.
func (m *memQueue) steer() {
	for _, b := range m.batches {
		if !b.until.IsZero() && !m.now().Before(b.until) {
			b.until = time.Time{}
			m.cancel(b, "DeadlineExceeded")
		}
	}
	for _, b := range m.batches {
		if a := m.find(b.After); b.waits && a != nil && m.info(a).Complete() {
			b.waits = false
		}
	}
}

// held tells whether a ready item may not be claimed.
func (m *memQueue) held(e *entry) bool { return m.paused || m.find(e.Item.Batch).Suspended }

// cancel ends a batch that has not ended. What begins to publish goes on.
func (m *memQueue) cancel(b *memBatch, reason string) {
	if info := m.info(b); info.Complete() || info.Failed() || b.Cancelled {
		return
	}
	for _, e := range m.entries {
		v := m.as(e)
		if e.Item.Batch != b.Name || v.State == queue.Leased && v.committed != nil {
			continue
		}
		if unfinished(v.State) {
			*e = v
			e.State = queue.Cancelled
		}
	}
	b.Cancelled, b.Sealed, b.Reason = true, true, reason
}

func unfinished(s queue.State) bool {
	return slices.Contains([]queue.State{queue.Blocked, queue.Delayed, queue.Ready, queue.Leased}, s)
}

func (m *memQueue) Batches(ctx context.Context) ([]queue.BatchInfo, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []queue.BatchInfo
	for _, b := range m.batches {
		out = append(out, m.info(b))
	}
	return out, nil
}

func (m *memQueue) OpenBatch(ctx context.Context, o queue.Batch) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	defer m.ring()
	switch b := m.find(o.Name); {
	case o.After == o.Name:
		return errors.New("mem: a batch cannot come after itself")
	case o.After != "" && m.find(o.After) == nil:
		return fmt.Errorf("mem: after %q: %w", o.After, queue.ErrNotFound)
	case b != nil && b.After != o.After:
		return fmt.Errorf("mem: batch %q comes after %q", o.Name, b.After)
	case b != nil && o.Deadline != 0 && b.deadline != o.Deadline:
		return fmt.Errorf("mem: batch %q has a deadline of %s", o.Name, b.deadline)
	case b != nil:
		return nil
	}
	b := m.batch(o.Name)
	b.deadline = o.Deadline
	b.After, b.waits = o.After, o.After != "" && !m.info(m.find(o.After)).Complete()
	if o.Deadline > 0 {
		b.until = m.now().Add(o.Deadline)
	}
	return nil
}

func (m *memQueue) ChangeBatch(ctx context.Context, name string, v queue.BatchVerb) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	defer m.ring()
	b := m.find(name)
	if b == nil {
		return fmt.Errorf("mem: batch %q: %w", name, queue.ErrNotFound)
	}
	switch v {
	case queue.SuspendBatch, queue.ResumeBatch:
		b.Suspended = v == queue.SuspendBatch
	case queue.CancelBatch:
		m.cancel(b, "Cancelled")
	case queue.DeleteBatch:
		return m.delete(b)
	}
	return nil
}

func (m *memQueue) delete(b *memBatch) error {
	if slices.ContainsFunc(m.batches, func(f *memBatch) bool { return f.waits && !f.Cancelled && f.After == b.Name }) {
		return fmt.Errorf("mem: another batch waits for %q", b.Name)
	}
	of := func(e *entry) bool { return e.Item.Batch == b.Name }
	if slices.ContainsFunc(m.entries, func(e *entry) bool { return of(e) && m.publishing(e) }) {
		return fmt.Errorf("mem: batch %q: %w", b.Name, queue.ErrCommitted)
	}
	for _, e := range m.entries {
		if of(e) {
			delete(m.byID, e.Item.ID)
		}
	}
	m.entries = slices.DeleteFunc(m.entries, of)
	m.batches = slices.DeleteFunc(m.batches, func(x *memBatch) bool { return x == b })
	return nil
}

// publishing tells whether an item's output is decided and not done.
func (m *memQueue) publishing(e *entry) bool { return e.committed != nil && unfinished(m.as(e).State) }
