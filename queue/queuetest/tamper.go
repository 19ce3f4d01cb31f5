package queuetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"sluice.dev/queue"
)

// tampered is a driver of which the calls that are set are others.
type tampered struct {
	queue.Driver

	enqueue   func(context.Context, []queue.Item) ([]queue.Outcome, error)
	seal      func(context.Context, string) error
	exchange  func(context.Context, queue.Exchange) (queue.Reply, error)
	extend    func(context.Context, string, []queue.Lease) ([]error, error)
	commit    func(context.Context, queue.Lease, []byte) error
	wait      func(context.Context, string, time.Duration) error
	leave     func(context.Context, string, time.Duration) (bool, error)
	depth     func(context.Context) (queue.Depth, error)
	items     func(context.Context, queue.Query) ([]queue.Record, error)
	batches   func(context.Context) ([]queue.BatchInfo, error)
	expire    func(context.Context, string, queue.Failure) (int, error)
	setPolicy func(context.Context, queue.Policy, bool) (queue.Policy, error)

	openBatch   func(context.Context, queue.Batch) error
	changeBatch func(context.Context, string, queue.BatchVerb) error
	changeItems func(context.Context, queue.ItemVerb, []string) ([]error, error)
	pause       func(context.Context, bool) error
	workers     func(context.Context) ([]queue.WorkerInfo, error)
	watch       func(context.Context, time.Duration) error
	drop        func(context.Context) error
}

func or[F any](set bool, f, g F) F {
	if set {
		return f
	}
	return g
}

func (t *tampered) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	return or(t.enqueue != nil, t.enqueue, t.Driver.Enqueue)(ctx, items)
}

func (t *tampered) Seal(ctx context.Context, batch string) error {
	return or(t.seal != nil, t.seal, t.Driver.Seal)(ctx, batch)
}

func (t *tampered) Exchange(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
	return or(t.exchange != nil, t.exchange, t.Driver.Exchange)(ctx, x)
}

func (t *tampered) Extend(ctx context.Context, worker string, leases []queue.Lease) ([]error, error) {
	return or(t.extend != nil, t.extend, t.Driver.Extend)(ctx, worker, leases)
}

func (t *tampered) Commit(ctx context.Context, l queue.Lease, record []byte) error {
	return or(t.commit != nil, t.commit, t.Driver.Commit)(ctx, l, record)
}

func (t *tampered) Wait(ctx context.Context, worker string, limit time.Duration) error {
	return or(t.wait != nil, t.wait, t.Driver.Wait)(ctx, worker, limit)
}

func (t *tampered) Leave(ctx context.Context, worker string, idle time.Duration) (bool, error) {
	return or(t.leave != nil, t.leave, t.Driver.Leave)(ctx, worker, idle)
}

func (t *tampered) Depth(ctx context.Context) (queue.Depth, error) {
	return or(t.depth != nil, t.depth, t.Driver.Depth)(ctx)
}

func (t *tampered) Items(ctx context.Context, q queue.Query) ([]queue.Record, error) {
	return or(t.items != nil, t.items, t.Driver.Items)(ctx, q)
}

func (t *tampered) Batches(ctx context.Context) ([]queue.BatchInfo, error) {
	return or(t.batches != nil, t.batches, t.Driver.Batches)(ctx)
}

func (t *tampered) Expire(ctx context.Context, worker string, f queue.Failure) (int, error) {
	return or(t.expire != nil, t.expire, t.Driver.Expire)(ctx, worker, f)
}

func (t *tampered) SetPolicy(ctx context.Context, p queue.Policy, force bool) (queue.Policy, error) {
	return or(t.setPolicy != nil, t.setPolicy, t.Driver.SetPolicy)(ctx, p, force)
}

func (t *tampered) OpenBatch(ctx context.Context, b queue.Batch) error {
	return or(t.openBatch != nil, t.openBatch, t.Driver.OpenBatch)(ctx, b)
}

func (t *tampered) ChangeBatch(ctx context.Context, name string, v queue.BatchVerb) error {
	return or(t.changeBatch != nil, t.changeBatch, t.Driver.ChangeBatch)(ctx, name, v)
}

func (t *tampered) ChangeItems(ctx context.Context, v queue.ItemVerb, ids []string) ([]error, error) {
	return or(t.changeItems != nil, t.changeItems, t.Driver.ChangeItems)(ctx, v, ids)
}

func (t *tampered) Pause(ctx context.Context, paused bool) error {
	return or(t.pause != nil, t.pause, t.Driver.Pause)(ctx, paused)
}

func (t *tampered) Workers(ctx context.Context) ([]queue.WorkerInfo, error) {
	return or(t.workers != nil, t.workers, t.Driver.Workers)(ctx)
}

func (t *tampered) Watch(ctx context.Context, limit time.Duration) error {
	return or(t.watch != nil, t.watch, t.Driver.Watch)(ctx, limit)
}

func (t *tampered) Drop(ctx context.Context) error {
	return or(t.drop != nil, t.drop, t.Driver.Drop)(ctx)
}

// The ways to tamper: each is a Mutant's Wrap. What is handed in may be
// changed, since it is a copy.

func tamper(f func(t *tampered)) func(queue.Driver) queue.Driver {
	return func(d queue.Driver) queue.Driver {
		t := &tampered{Driver: d}
		f(t)
		return t
	}
}

// onItem changes each item that is enqueued. Leases show the batch, priority
// and output that were asked for, so that only what the store does with them
// can give the mutant away.
func onItem(f func(*queue.Item)) func(queue.Driver) queue.Driver {
	var asked memory[string, queue.Item] // by all clients of a queue
	return tamper(func(t *tampered) {
		t.enqueue = func(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
			sent := slices.Clone(items)
			for i := range sent {
				f(&sent[i])
			}
			out, err := t.Driver.Enqueue(ctx, sent)
			for i, o := range out {
				if o == queue.Added {
					asked.set(sent[i].ID, items[i])
				}
			}
			return out, err
		}
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			r, err := t.Driver.Exchange(ctx, x)
			for i := range r.Leases {
				it := &r.Leases[i].Item
				if was, ok := asked.get(it.ID); ok {
					it.Batch, it.Priority, it.Output = was.Batch, was.Priority, was.Output
				}
			}
			return r, err
		}
	})
}

// onOutcomes changes what enqueues answer.
func onOutcomes(f func([]queue.Outcome)) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.enqueue = func(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
			out, err := t.Driver.Enqueue(ctx, items)
			f(out)
			return out, err
		}
	})
}

// onSettle changes each settlement.
func onSettle(f func(*queue.Settlement)) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			x.Settle = slices.Clone(x.Settle)
			for i := range x.Settle {
				f(&x.Settle[i])
			}
			return t.Driver.Exchange(ctx, x)
		}
	})
}

// onExchange changes each exchange.
func onExchange(f func(*queue.Exchange)) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			f(&x)
			return t.Driver.Exchange(ctx, x)
		}
	})
}

// onReply changes each reply.
func onReply(f func(*queue.Reply)) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			r, err := t.Driver.Exchange(ctx, x)
			f(&r)
			return r, err
		}
	})
}

// onLease changes each lease that is given.
func onLease(f func(*queue.Lease)) func(queue.Driver) queue.Driver {
	return onReply(func(r *queue.Reply) {
		for i := range r.Leases {
			f(&r.Leases[i])
		}
	})
}

// onDepth changes each depth.
func onDepth(f func(*queue.Depth)) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.depth = func(ctx context.Context) (queue.Depth, error) {
			d, err := t.Driver.Depth(ctx)
			f(&d)
			return d, err
		}
	})
}

// onQuery changes what is asked of Items.
func onQuery(f func(*queue.Query)) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.items = func(ctx context.Context, q queue.Query) ([]queue.Record, error) {
			f(&q)
			return t.Driver.Items(ctx, q)
		}
	})
}

// onRecord changes each record that is listed.
func onRecord(f func(*queue.Record)) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.items = func(ctx context.Context, q queue.Query) ([]queue.Record, error) {
			rs, err := t.Driver.Items(ctx, q)
			for i := range rs {
				f(&rs[i])
			}
			return rs, err
		}
	})
}

// onBatch changes each batch that is listed.
func onBatch(f func(*queue.BatchInfo)) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.batches = func(ctx context.Context) ([]queue.BatchInfo, error) {
			bs, err := t.Driver.Batches(ctx)
			for i := range bs {
				f(&bs[i])
			}
			return bs, err
		}
	})
}

// memory is a map for concurrent use.
type memory[K comparable, V any] struct {
	mu sync.Mutex
	m  map[K]V
}

func (m *memory[K, V]) get(k K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.m[k]
	return v, ok
}

func (m *memory[K, V]) set(k K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.m == nil {
		m.m = map[K]V{}
	}
	m.m[k] = v
}

func (m *memory[K, V]) keys() []K {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ks []K
	for k := range m.m {
		ks = append(ks, k)
	}
	return ks
}
