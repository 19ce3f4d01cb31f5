package queuetest

import (
	"context"
	"errors"
	"time"

	"sluice.dev/queue"
)

func contextSentences() []sentence {
	var s []sentence
	for _, m := range []struct {
		name string
		call func(ctx context.Context, q *subject, l queue.Lease) error
	}{
		{"Enqueue", func(ctx context.Context, q *subject, _ queue.Lease) error {
			_, err := q.d.Enqueue(ctx, []queue.Item{{ID: "b"}})
			return err
		}},
		{"Seal", func(ctx context.Context, q *subject, _ queue.Lease) error { return q.d.Seal(ctx, "x") }},
		{"Exchange", func(ctx context.Context, q *subject, l queue.Lease) error {
			_, err := q.d.Exchange(ctx, queue.Exchange{Worker: "w2", Seq: 1, Settle: []queue.Settlement{{Lease: l, Verb: queue.Ack}}})
			return err
		}},
		{"Extend", func(ctx context.Context, q *subject, l queue.Lease) error {
			_, err := q.d.Extend(ctx, "w", []queue.Lease{l})
			return err
		}},
		{"Commit", func(ctx context.Context, q *subject, l queue.Lease) error {
			return q.d.Commit(ctx, l, []byte("record"))
		}},
		{"Wait", func(ctx context.Context, q *subject, _ queue.Lease) error { return q.d.Wait(ctx, "w", 2*soon) }},
		{"Leave", func(ctx context.Context, q *subject, _ queue.Lease) error {
			_, err := q.d.Leave(ctx, "w2", 0)
			return err
		}},
		{"Depth", func(ctx context.Context, q *subject, _ queue.Lease) error {
			_, err := q.d.Depth(ctx)
			return err
		}},
		{"Items", func(ctx context.Context, q *subject, _ queue.Lease) error {
			_, err := q.d.Items(ctx, queue.Query{})
			return err
		}},
		{"Batches", func(ctx context.Context, q *subject, _ queue.Lease) error {
			_, err := q.d.Batches(ctx)
			return err
		}},
		{"Expire", func(ctx context.Context, q *subject, _ queue.Lease) error {
			_, err := q.d.Expire(ctx, "w", reaped)
			return err
		}},
		{"SetPolicy", func(ctx context.Context, q *subject, _ queue.Lease) error {
			_, err := q.d.SetPolicy(ctx, queue.Policy{Lease: long}, true)
			return err
		}},
		{"OpenBatch", func(ctx context.Context, q *subject, _ queue.Lease) error {
			return q.d.OpenBatch(ctx, queue.Batch{Name: "y", After: "x"})
		}},
		{"ChangeBatch", func(ctx context.Context, q *subject, _ queue.Lease) error {
			return q.d.ChangeBatch(ctx, "x", queue.CancelBatch)
		}},
		{"ChangeItems", func(ctx context.Context, q *subject, _ queue.Lease) error {
			_, err := q.d.ChangeItems(ctx, queue.DeleteItem, []string{"a"})
			return err
		}},
		{"Pause", func(ctx context.Context, q *subject, _ queue.Lease) error { return q.d.Pause(ctx, true) }},
		{"Workers", func(ctx context.Context, q *subject, _ queue.Lease) error {
			_, err := q.d.Workers(ctx)
			return err
		}},
		{"Watch", func(ctx context.Context, q *subject, _ queue.Lease) error { return q.d.Watch(ctx, 2*soon) }},
		{"Drop", func(ctx context.Context, q *subject, _ queue.Lease) error { return q.d.Drop(ctx) }},
	} {
		s = append(s, sentence{m.name + " with a cancelled context returns at once and does nothing", func(q *subject) {
			q.put(queue.Item{ID: "a", Batch: "x"})
			l := q.worker("w").claims("a")[0]
			ctx, cancel := context.WithCancel(q.ctx)
			cancel()
			start := time.Now()
			if err := m.call(ctx, q, l); !errors.Is(err, context.Canceled) {
				q.Errorf("%s: %v, want %v", m.name, err, context.Canceled)
			}
			if took := time.Since(start); took > soon {
				q.Errorf("%s took %s", m.name, took)
			}
			q.wantDepth(queue.Depth{Leased: 1})
			q.wantPolicy(queue.DefaultPolicy())
			if q.batch("x").Sealed {
				q.Errorf("x is sealed")
			}
			if r := q.worker("w2").send(queue.Exchange{Claim: 1}); r.Gone || len(r.Leases) > 0 {
				q.Errorf("w2 claims %q, gone %t", ids(r.Leases), r.Gone)
			}
			w := q.worker("w3")
			w.releases(l)
			if c := w.claims("a")[0].Committed; c != nil {
				q.Errorf("%q is committed", c)
			}
		}})
	}
	return s
}
