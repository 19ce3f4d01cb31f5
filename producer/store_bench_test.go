package producer_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"sluice.dev/internal/redistest"
	"sluice.dev/producer"
	"sluice.dev/queue"
	"sluice.dev/queue/redisqueue"
	"sluice.dev/queue/redisqueue/embedded"
)

// BenchmarkAdd has 16 goroutines add one item a call: through a Producer, and
// beside it with the queue's own Enqueue.
func BenchmarkAdd(b *testing.B) {
	for _, store := range []struct {
		name  string
		start func(*testing.B) string
	}{
		{"redis", func(b *testing.B) string { return redistest.Start(b).URL() }},
		{"embedded", func(b *testing.B) string {
			s, err := embedded.Start()
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(s.Close)
			return s.URL()
		}},
	} {
		b.Run("store="+store.name, func(b *testing.B) {
			url := store.start(b)
			var runs atomic.Int64
			open := func(b *testing.B) *queue.Queue {
				d, err := redisqueue.Open(b.Context(), redisqueue.Options{URL: url, Queue: fmt.Sprint("q", runs.Add(1))})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = d.Close() })
				return queue.New(d)
			}
			b.Run("by=producer", func(b *testing.B) {
				p := producer.New(open(b), producer.Options{})
				b.Cleanup(p.Close)
				addFrom16(b, func(ctx context.Context, it queue.Item) error {
					_, err := p.Add(ctx, it)
					return err
				})
			})
			b.Run("by=enqueue", func(b *testing.B) {
				q := open(b)
				addFrom16(b, func(ctx context.Context, it queue.Item) error {
					_, err := q.Enqueue(ctx, []queue.Item{it})
					return err
				})
			})
		})
	}
}

func addFrom16(b *testing.B, add func(context.Context, queue.Item) error) {
	payload := make([]byte, 200)
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range 16 {
		all.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := add(b.Context(), queue.Item{ID: fmt.Sprint("item-", i), Payload: payload}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
}
