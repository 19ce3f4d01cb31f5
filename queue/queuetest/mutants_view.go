package queuetest

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"sluice.dev/queue"
)

var viewMutants = []Mutant{
	{"counts one too many", onDepth(func(d *queue.Depth) { d.Ready++ })},
	{"counts one too few", onDepth(func(d *queue.Depth) { d.Leased = max(0, d.Leased-1) })},
	{"counts what is leased as ready", onDepth(func(d *queue.Depth) { d.Ready, d.Leased = d.Ready+d.Leased, 0 })},
	{"counts what is delayed as ready", onDepth(func(d *queue.Depth) { d.Ready, d.Delayed = d.Ready+d.Delayed, 0 })},
	{"counts what is dead as done", onDepth(func(d *queue.Depth) { d.Done, d.Dead = d.Done+d.Dead, 0 })},
	{"counts what is ready as held", onDepth(func(d *queue.Depth) { d.Held = d.Ready })},
	{"does not say that the queue is paused", onDepth(func(d *queue.Depth) { d.Paused = false })},
	{"does not say what is due next", onDepth(func(d *queue.Depth) { d.NextDue = 0 })},
	{"says that nothing is due", onDepth(func(d *queue.Depth) { d.NextDue = -1 })},
	{"counts as it was a call ago", tamper(func(t *tampered) {
		var last memory[string, queue.Depth]
		t.depth = func(ctx context.Context) (queue.Depth, error) {
			d, err := t.Driver.Depth(ctx)
			old, _ := last.get("")
			last.set("", d)
			return old, err
		}
	})},
	{"lists what is done unasked", onQuery(func(q *queue.Query) {
		if q.States == nil {
			q.States = queue.States
		}
	})},
	{"lists every state", onQuery(func(q *queue.Query) {
		if q.States != nil {
			q.States = queue.States
		}
	})},
	{"lists in no order", tamper(func(t *tampered) {
		t.items = func(ctx context.Context, q queue.Query) ([]queue.Record, error) {
			rs, err := t.Driver.Items(ctx, q)
			slices.Reverse(rs)
			return rs, err
		}
	})},
	{"lists past the limit", onQuery(func(q *queue.Query) { q.Limit = 0 })},
	{"lists one too many", onQuery(func(q *queue.Query) {
		if q.Limit > 0 {
			q.Limit++
		}
	})},
	{"lists a thousand at the most", tamper(func(t *tampered) {
		t.items = func(ctx context.Context, q queue.Query) ([]queue.Record, error) {
			rs, err := t.Driver.Items(ctx, q)
			return rs[:min(len(rs), 1000)], err
		}
	})},
	{"lists every batch", onQuery(func(q *queue.Query) { q.Batch = "" })},
	{"finds no done item by its id", tamper(func(t *tampered) {
		t.items = func(ctx context.Context, q queue.Query) ([]queue.Record, error) {
			rs, err := t.Driver.Items(ctx, q)
			if q.ID != "" {
				rs = slices.DeleteFunc(rs, func(r queue.Record) bool { return r.State == queue.Done })
			}
			return rs, err
		}
	})},
	{"lists payloads of leased items only", onRecord(func(r *queue.Record) {
		if r.State != queue.Leased {
			r.Item.Payload = nil
		}
	})},
	{"does not say who holds an item", onRecord(func(r *queue.Record) { r.Worker = "" })},
	{"does not say with which token", onRecord(func(r *queue.Record) { r.Token = 0 })},
	{"does not count releases", onRecord(func(r *queue.Record) { r.Releases = 0 })},
	{"counts the attempt under way", onRecord(func(r *queue.Record) {
		if r.State == queue.Leased {
			r.Attempts++
		}
	})},
	{"keeps the last failure only", onRecord(func(r *queue.Record) {
		r.Failures = r.Failures[max(0, len(r.Failures)-1):]
	})},
	{"keeps the newest failures without the first", onRecord(func(r *queue.Record) {
		if len(r.Failures) == queue.MaxFailures {
			r.Failures = r.Failures[1:]
		}
	})},
	{"lists the newest failure first", onRecord(func(r *queue.Record) { slices.Reverse(r.Failures) })},
}

var batchMutants = []Mutant{
	{"cannot seal", tamper(func(t *tampered) {
		t.seal = func(context.Context, string) error { return nil }
	})},
	{"shows every batch as sealed", onBatch(func(b *queue.BatchInfo) { b.Sealed = true })},
	{"counts the batch's dead as done", onBatch(func(b *queue.BatchInfo) {
		b.Depth.Done, b.Depth.Dead = b.Depth.Done+b.Depth.Dead, 0
	})},
	{"does not count what is leased in a batch", onBatch(func(b *queue.BatchInfo) { b.Depth.Leased = 0 })},
	{"lists batches without items never", tamper(func(t *tampered) {
		t.batches = func(ctx context.Context) ([]queue.BatchInfo, error) {
			bs, err := t.Driver.Batches(ctx)
			return slices.DeleteFunc(bs, func(b queue.BatchInfo) bool { return b.Depth.Total() == 0 }), err
		}
	})},
	{"lists the youngest batch first", tamper(func(t *tampered) {
		t.batches = func(ctx context.Context) ([]queue.BatchInfo, error) {
			bs, err := t.Driver.Batches(ctx)
			slices.Reverse(bs)
			return bs, err
		}
	})},
	{"reports what a sealed batch knows as refused", tamper(func(t *tampered) {
		var sealed memory[string, bool]
		t.seal = func(ctx context.Context, batch string) error {
			sealed.set(batch, true)
			return t.Driver.Seal(ctx, batch)
		}
		t.enqueue = func(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
			out, err := t.Driver.Enqueue(ctx, items)
			for i := range out {
				if _, ok := sealed.get(items[i].Batch); ok {
					out[i] = queue.BatchClosed
				}
			}
			return out, err
		}
	})},
	{"refuses to seal twice", tamper(func(t *tampered) {
		var sealed memory[string, bool]
		t.seal = func(ctx context.Context, batch string) error {
			if _, ok := sealed.get(batch); ok {
				return queue.ErrNotFound
			}
			sealed.set(batch, true)
			return t.Driver.Seal(ctx, batch)
		}
	})},
}

var waitMutants = []Mutant{
	{"polls", tamper(func(t *tampered) {
		t.wait = func(ctx context.Context, worker string, _ time.Duration) error {
			return t.Driver.Wait(ctx, worker, time.Millisecond)
		}
	})},
	{"sleeps through what ends a wait", tamper(func(t *tampered) {
		t.wait = func(ctx context.Context, _ string, limit time.Duration) error {
			select {
			case <-time.After(limit):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})},
	{"does not tell a worker that waits that it may leave", tamper(func(t *tampered) {
		t.wait = func(ctx context.Context, _ string, limit time.Duration) error {
			return t.Driver.Wait(ctx, "nobody", limit)
		}
	})},
	{"waits past its limit", tamper(func(t *tampered) {
		t.wait = func(ctx context.Context, worker string, limit time.Duration) error {
			return t.Driver.Wait(ctx, worker, limit+2*soon)
		}
	})},
	{"does not say when to look again", onReply(func(r *queue.Reply) { r.Next = long })},
	{"says to look again at once", onReply(func(r *queue.Reply) { r.Next = shortest })},
	{"lets every worker leave", tamper(func(t *tampered) {
		t.leave = func(context.Context, string, time.Duration) (bool, error) { return true, nil }
	})},
	{"lets no worker leave", tamper(func(t *tampered) {
		t.leave = func(context.Context, string, time.Duration) (bool, error) { return false, nil }
	})},
	{"waits for what comes no more", tamper(func(t *tampered) {
		var expected atomic.Bool // once something was
		t.leave = func(ctx context.Context, worker string, idle time.Duration) (bool, error) {
			if d, err := t.Driver.Depth(ctx); err != nil || d.Claimable() == 0 && d.Delayed == 0 && expected.Load() {
				return false, err
			}
			ok, err := t.Driver.Leave(ctx, worker, idle)
			expected.Store(expected.Load() || !ok)
			return ok, err
		}
	})},
	{"lets a worker leave before what comes due", tamper(func(t *tampered) {
		t.leave = func(ctx context.Context, worker string, _ time.Duration) (bool, error) {
			return t.Driver.Leave(ctx, worker, 0)
		}
	})},
	{"lets a worker claim after it left", tamper(func(t *tampered) {
		t.leave = func(ctx context.Context, worker string, idle time.Duration) (bool, error) {
			return t.Driver.Leave(ctx, worker+"-other", idle)
		}
	})},
	{"does not say that a worker has left", onReply(func(r *queue.Reply) { r.Gone = false })},
	{"says that every worker has left", onReply(func(r *queue.Reply) { r.Gone = true })},
}

// contextMutants ignore the context of one method each.
var contextMutants = []Mutant{
	{"enqueues for a cancelled context", tamper(func(t *tampered) {
		t.enqueue = func(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
			return t.Driver.Enqueue(context.WithoutCancel(ctx), items)
		}
	})},
	{"exchanges for a cancelled context", tamper(func(t *tampered) {
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			return t.Driver.Exchange(context.WithoutCancel(ctx), x)
		}
	})},
	{"commits for a cancelled context and says otherwise", tamper(func(t *tampered) {
		t.commit = func(ctx context.Context, l queue.Lease, record []byte) error {
			err := t.Driver.Commit(context.WithoutCancel(ctx), l, record)
			if err == nil {
				err = ctx.Err()
			}
			return err
		}
	})},
	{"waits on after its context was cancelled", tamper(func(t *tampered) {
		t.wait = func(ctx context.Context, worker string, limit time.Duration) error {
			return t.Driver.Wait(context.WithoutCancel(ctx), worker, limit)
		}
	})},
	{"reads a depth of zero for an error", tamper(func(t *tampered) {
		t.depth = func(ctx context.Context) (queue.Depth, error) {
			d, err := t.Driver.Depth(ctx)
			if err != nil {
				return queue.Depth{}, nil
			}
			return d, nil
		}
	})},
	{"seals for a cancelled context and says otherwise", tamper(func(t *tampered) {
		t.seal = func(ctx context.Context, batch string) error {
			err := t.Driver.Seal(context.WithoutCancel(ctx), batch)
			if err == nil {
				err = ctx.Err()
			}
			return err
		}
	})},
}
