package compare_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice.dev/internal/natstest"
	"sluice.dev/internal/queuebench"
	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
	"sluice.dev/queue/redisqueue"
	"sluice.dev/queue/redisqueue/embedded"
	"sluice.dev/worker"
)

func TestMain(m *testing.M) {
	if natstest.Main() {
		return
	}
	os.Exit(m.Run())
}

const (
	storeRounds = 9 // an odd number: the median is one of them
	storeItems  = 2000
	storeSlots  = 50
	storeWakes  = 30 // a round
)

// store is a queue on a store of one kind.
type store struct {
	*queuebench.Load
	name string
}

// stores are redis-server, nats-server with one replica and its own sync
// interval, both in processes of their own, and miniredis in this one, which
// keeps nothing. Beside the JetStream client that is measured another leads its
// queue, as where "sluice up" or a coordinator runs.
func stores(b *testing.B) []*store {
	b.Helper()
	memory, err := embedded.Start()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(memory.Close)
	nats := natstest.Launch(b).URL()
	leader := openStore(b, func(ctx context.Context) (queue.Driver, error) { return natsqueue.Open(ctx, nats, "bench") })
	if _, err := leader.SetPolicy(b.Context(), queue.Policy{}, false); err != nil { // with which it leads
		b.Fatal(err)
	}
	redis := func(url string) *queue.Queue {
		return openStore(b, func(ctx context.Context) (queue.Driver, error) {
			return redisqueue.Open(ctx, redisqueue.Options{URL: url, Queue: "bench"})
		})
	}
	jetstream := openStore(b, func(ctx context.Context) (queue.Driver, error) { return natsqueue.Open(ctx, nats, "bench") })
	of := func(name string, q *queue.Queue) *store { return &store{&queuebench.Load{TB: b, Queue: q}, name} }
	return []*store{of("redis", redis(redistest.Start(b).URL())), of("jetstream", jetstream), of("memory", redis(memory.URL()))}
}

func openStore(b *testing.B, open func(context.Context) (queue.Driver, error)) *queue.Queue {
	b.Helper()
	d, err := open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	q := queue.New(d)
	b.Cleanup(func() {
		if err := q.Close(); err != nil {
			b.Error(err)
		}
	})
	return q
}

// work has a worker of many slots, as "sluice work" has it, do a round of items
// that take no time.
func (s *store) work(b *testing.B) {
	var left atomic.Int64
	left.Store(storeItems)
	var w *worker.Worker
	w = worker.New(s.Queue, worker.HandlerFunc(func(context.Context, *worker.Attempt) error {
		if left.Add(-1) == 0 {
			w.Drain()
		}
		return nil
	}), worker.Options{Slots: storeSlots})
	if _, err := w.Run(b.Context()); err != nil {
		b.Fatal(err)
	}
	if n := left.Load(); n != 0 {
		b.Fatalf("%s: %d items are left", s.name, n)
	}
}

// wake is how long it takes from the enqueue of an item to its handler, in a
// worker that waits idle, in milliseconds.
func (s *store) wake(b *testing.B) (took []float64) {
	started := make(chan time.Time)
	w := worker.New(s.Queue, worker.HandlerFunc(func(context.Context, *worker.Attempt) error {
		started <- time.Now()
		return nil
	}), worker.Options{})
	ended := make(chan error, 1)
	go func() {
		_, err := w.Run(b.Context())
		ended <- err
	}()
	for range storeWakes {
		<-time.After(10 * time.Millisecond) // it waits by then
		began := time.Now()
		if _, err := s.Queue.Enqueue(b.Context(), s.Items(1)); err != nil {
			b.Fatal(err)
		}
		took = append(took, float64((<-started).Sub(began).Microseconds())/1000)
	}
	w.Drain()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	return took
}

// BenchmarkStores puts the same load on each kind of store, in turns: items a
// second that are enqueued, 100 a call, and that a worker of 50 slots does, and
// how soon an idle worker has an item. Ratios are of medians, to redis.
func BenchmarkStores(b *testing.B) {
	all := stores(b)
	enqueued, worked, woken := queuebench.Rounds{}, queuebench.Rounds{}, map[string][]float64{}
	before := load()
	for b.Loop() {
		for range storeRounds {
			for _, s := range all {
				enqueued.Time(s.name, storeItems, func() { s.Fill(storeItems, 100, 1) })
				worked.Time(s.name, storeItems, func() { s.work(b) })
				woken[s.name] = append(woken[s.name], s.wake(b)...)
			}
		}
	}
	var table strings.Builder
	fmt.Fprintf(&table, "load average %s before, %s after\n%-10s %14s %14s %10s %10s\n", before, load(), "", "enqueue/s", "work/s", "wake p50", "wake p99")
	first := all[0].name
	for _, s := range all {
		e, w := queuebench.Quantile(enqueued[s.name], 0.5), queuebench.Quantile(worked[s.name], 0.5)
		p50, p99 := queuebench.Quantile(woken[s.name], 0.5), queuebench.Quantile(woken[s.name], 0.99)
		er, wr := e/queuebench.Quantile(enqueued[first], 0.5), w/queuebench.Quantile(worked[first], 0.5)
		fmt.Fprintf(&table, "%-10s %7.0f %5.2fx %7.0f %5.2fx %7.2f ms %7.2f ms\n", s.name, e, er, w, wr, p50, p99)
		b.ReportMetric(er, s.name+"-enqueue/"+first)
		b.ReportMetric(wr, s.name+"-work/"+first)
		b.ReportMetric(p50, s.name+"-wake-p50-ms")
		b.ReportMetric(p99, s.name+"-wake-p99-ms")
	}
	b.ReportMetric(0, "ns/op") // of all of it, which says nothing
	b.Log("\n" + table.String())
}

// load is how busy the machine is, where it tells.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
