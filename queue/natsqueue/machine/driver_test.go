package machine_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/machine"
)

// store is a machine in memory that keeps its log, so that what it decided can
// be replayed when a test ends.
type store struct {
	now func() int64

	mu      sync.Mutex
	m       *machine.Machine
	log     []byte
	version int
	changed chan struct{} // closed and replaced by what may end a wait
}

// local is one client of a store: no server, no requests, only the machine.
type local struct {
	*store
	seen int
}

var _ queue.Driver = (*local)(nil)

func (d *local) Close() error { return nil }

// do runs a command.
func (s *store) do(ctx context.Context, f func(m *machine.Machine)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.Now(s.now())
	f(s.m)
	s.log = append(s.log, s.m.Take()...)
	if s.m.Changed() {
		s.version++
		close(s.changed)
		s.changed = make(chan struct{})
	}
	return nil
}

// check replays what was decided and wants the same state of it, and of a
// snapshot.
func (s *store) check(t testing.TB) {
	t.Helper()
	again := machine.New()
	if err := again.Replay(s.log); err != nil {
		t.Errorf("the log of this test: %v", err)
		return
	}
	want := whole(s.m)
	if !bytes.Equal(whole(again), want) {
		t.Error("the log replays to another state than the one that was decided")
	}
	restored := machine.New()
	for chunk := range s.m.Snapshot(100) {
		if err := restored.Replay(chunk); err != nil {
			t.Errorf("a snapshot: %v", err)
			return
		}
	}
	if !bytes.Equal(whole(restored), want) {
		t.Error("a snapshot gives another state than the one that it is of")
	}
	if d := counts(s.m); counts(restored) != d || counts(again) != d {
		t.Errorf("depth is %+v, replayed %+v, restored %+v", d, counts(again), counts(restored))
	}
}

// counts is a machine's depth without what time alone changes.
func counts(m *machine.Machine) queue.Depth {
	d := m.Depth()
	d.NextDue = 0
	return d
}

// whole is a machine's state as bytes.
func whole(m *machine.Machine) []byte {
	return slices.Concat(slices.Collect(m.Snapshot(1 << 30))...)
}

func (d *local) Enqueue(ctx context.Context, items []queue.Item) (out []queue.Outcome, err error) {
	entries := make([]machine.Entry, len(items))
	for i, it := range items {
		entries[i] = machine.Entry{Item: it, Digest: machine.DigestOf(it)}
	}
	if e := d.do(ctx, func(m *machine.Machine) { out, err = m.Enqueue(rand.Uint64(), entries) }); e != nil {
		return nil, e
	}
	return out, err
}

func (d *local) Seal(ctx context.Context, batch string) error {
	return d.do(ctx, func(m *machine.Machine) { m.Seal(batch) })
}

func (d *local) Exchange(ctx context.Context, x queue.Exchange) (r queue.Reply, err error) {
	e := d.do(ctx, func(m *machine.Machine) {
		r, err = m.Exchange(x)
		for i := range r.Leases {
			r.Leases[i].Item.Payload = slices.Clone(r.Leases[i].Item.Payload)
			r.Leases[i].Committed = slices.Clone(r.Leases[i].Committed)
		}
	})
	if e != nil {
		return queue.Reply{}, e
	}
	return r, err
}

func (d *local) Extend(ctx context.Context, _ string, leases []queue.Lease) (errs []error, err error) {
	err = d.do(ctx, func(m *machine.Machine) { errs = m.Extend(leases) })
	return errs, err
}

func (d *local) Commit(ctx context.Context, l queue.Lease, record []byte) (err error) {
	if e := d.do(ctx, func(m *machine.Machine) { err = m.Commit(l, record) }); e != nil {
		return e
	}
	return err
}

func (d *local) Wait(ctx context.Context, worker string, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		var claimable int64
		var gone bool
		var due time.Duration
		var changed chan struct{}
		var paused bool
		err := d.do(ctx, func(m *machine.Machine) {
			claimable, due, paused, changed = m.Claimable(), m.Depth().NextDue, m.Depth().Paused, d.changed
			gone = m.Gone(worker)
		})
		if err != nil || claimable > 0 || gone {
			return err
		}
		if due < 0 {
			due = limit
		}
		next := time.NewTimer(due)
		select {
		case <-changed:
			if !paused {
				return nil
			}
		case <-next.C:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		next.Stop()
	}
}

func (d *local) Leave(ctx context.Context, worker string, idle time.Duration) (ok bool, err error) {
	err = d.do(ctx, func(m *machine.Machine) { ok = m.Leave(worker, idle) })
	return ok, err
}

func (d *local) Depth(ctx context.Context) (depth queue.Depth, err error) {
	err = d.do(ctx, func(m *machine.Machine) { depth = m.Depth() })
	return depth, err
}

func (d *local) Items(ctx context.Context, q queue.Query) (out []queue.Record, err error) {
	err = d.do(ctx, func(m *machine.Machine) {
		for c := new(machine.Cursor); c != nil; {
			var recs []queue.Record
			recs, c = m.Items(q, *c)
			for _, r := range recs {
				r.Item.Payload, r.Result = slices.Clone(r.Item.Payload), slices.Clone(r.Result)
				r.Failures = slices.Clone(r.Failures)
				out = append(out, r)
			}
		}
	})
	return out, err
}

func (d *local) Batches(ctx context.Context) (out []queue.BatchInfo, err error) {
	err = d.do(ctx, func(m *machine.Machine) { out = m.Batches() })
	return out, err
}

func (d *local) Expire(ctx context.Context, worker string, f queue.Failure) (n int, err error) {
	err = d.do(ctx, func(m *machine.Machine) { n = m.Expire(worker, f) })
	return n, err
}

func (d *local) SetPolicy(ctx context.Context, p queue.Policy, force bool) (out queue.Policy, err error) {
	if e := d.do(ctx, func(m *machine.Machine) { out, err = m.SetPolicy(p, force) }); e != nil {
		return out, e
	}
	return out, err
}

func (d *local) OpenBatch(ctx context.Context, b queue.Batch) (err error) {
	if e := d.do(ctx, func(m *machine.Machine) { err = m.OpenBatch(b) }); e != nil {
		return e
	}
	return err
}

func (d *local) ChangeBatch(ctx context.Context, name string, v queue.BatchVerb) (err error) {
	if e := d.do(ctx, func(m *machine.Machine) { err = m.ChangeBatch(name, v) }); e != nil {
		return e
	}
	return err
}

func (d *local) ChangeItems(ctx context.Context, v queue.ItemVerb, ids []string) (errs []error, err error) {
	err = d.do(ctx, func(m *machine.Machine) { errs = m.ChangeItems(v, ids) })
	return errs, err
}

func (d *local) Pause(ctx context.Context, paused bool) error {
	return d.do(ctx, func(m *machine.Machine) { m.Pause(paused) })
}

func (d *local) Workers(ctx context.Context) (out []queue.WorkerInfo, err error) {
	err = d.do(ctx, func(m *machine.Machine) { out = m.Workers() })
	return out, err
}

func (d *local) Watch(ctx context.Context, limit time.Duration) error {
	d.mu.Lock()
	changed, missed := d.changed, d.seen != d.version
	d.seen = d.version
	d.mu.Unlock()
	if missed || ctx.Err() != nil {
		return ctx.Err()
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// Drop begins a new log: a machine has no word for its own end.
func (d *local) Drop(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.m, d.log = machine.New(), nil
	d.version++
	close(d.changed)
	d.changed = make(chan struct{})
	return nil
}

// clock is the stores' time: it stands still unless it is moved, or runs.
type clock struct {
	mu    sync.Mutex
	moved time.Duration
	runs  bool
	start time.Time
}

func (c *clock) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.start.Add(c.moved)
	if c.runs {
		t = time.Now()
	}
	return t.UnixMicro()
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved += d
}

// opener gives clients of stores by name.
func opener(c *clock) func(t testing.TB, name string) queue.Driver {
	var mu sync.Mutex
	stores := map[string]*store{}
	return func(t testing.TB, name string) queue.Driver {
		mu.Lock()
		defer mu.Unlock()
		s := stores[name]
		if s == nil {
			s = &store{now: c.now, m: machine.New(), changed: make(chan struct{})}
			stores[name] = s
			t.Cleanup(func() { s.check(t) })
		}
		return &local{store: s}
	}
}
