package peers_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"sluice.dev/internal/natstest"
	"sluice.dev/internal/redistest"
	"sluice.dev/producer"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
	"sluice.dev/queue/redisqueue"
	"sluice.dev/worker"
)

func sluiceOnRedis(b *testing.B, s servers) *peer {
	url := redistest.Start(b, s.redis...).URL()
	d, err := redisqueue.Open(b.Context(), redisqueue.Options{URL: url, Queue: "bench"})
	return sluicePeer(b, "sluice", opened(b, d, err))
}

// sluiceOnJetStream has another client lead the queue than the one that is
// measured, as where a coordinator runs.
func sluiceOnJetStream(b *testing.B, s servers) *peer {
	url := natstest.Launch(b, s.nats).URL()
	open := func() *queue.Queue {
		d, err := natsqueue.Open(b.Context(), url, "bench")
		return opened(b, d, err)
	}
	if _, err := open().SetPolicy(b.Context(), queue.Policy{}, false); err != nil { // with which it leads
		b.Fatal(err)
	}
	return sluicePeer(b, "sluice, JetStream", open())
}

func opened(b *testing.B, d queue.Driver, err error) *queue.Queue {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	q := queue.New(d)
	b.Cleanup(func() { _ = q.Close() })
	return q
}

// sluicePeer is a queue with the policy and the options that nobody has stated.
func sluicePeer(b *testing.B, name string, q *queue.Queue) *peer {
	var last atomic.Int64
	items := func(n int) []queue.Item {
		list := make([]queue.Item, n)
		for i := range list {
			list[i] = queue.Item{ID: strconv.FormatInt(1e9+last.Add(1), 10), Payload: []byte(payload)}
		}
		return list
	}
	bulk := func(ctx context.Context, n int) error {
		_, err := q.Enqueue(ctx, items(n))
		return err
	}
	gatherer := producer.New(q, producer.Options{})
	b.Cleanup(gatherer.Close)
	p := &peer{
		name: name,
		add:  func(ctx context.Context) error { return bulk(ctx, 1) },
		bulk: bulk,
		gather: func(ctx context.Context) error {
			_, err := gatherer.Add(ctx, items(1)[0])
			return err
		},
		work: func(slots int, begun func()) func() {
			w := worker.New(q, worker.HandlerFunc(func(context.Context, *worker.Attempt) error {
				begun()
				return nil
			}), worker.Options{Slots: slots})
			ended := make(chan error, 1)
			go func() {
				_, err := w.Run(b.Context())
				ended <- err
			}()
			return func() {
				w.Drain()
				if err := <-ended; err != nil {
					b.Error(err)
				}
			}
		},
	}
	p.wakes = []waker{{name: name, add: p.add, start: p.work, samples: 100}}
	return p
}
