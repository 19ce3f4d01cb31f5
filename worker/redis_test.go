package worker_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"sluice.dev/queue"
	"sluice.dev/queue/redisqueue"
	"sluice.dev/worker"
)

// openRedis is a queue in a server of its own.
func openRedis(tb testing.TB) *queue.Queue {
	tb.Helper()
	server := miniredis.RunT(tb)
	d, err := redisqueue.Open(tb.Context(), redisqueue.Options{URL: "redis://" + server.Addr(), Queue: "q"})
	if err != nil {
		tb.Fatal(err)
	}
	q := queue.New(d)
	tb.Cleanup(func() {
		if err := q.Close(); err != nil {
			tb.Error(err)
		}
	})
	return q
}

func enqueue(tb testing.TB, q *queue.Queue, n int) {
	tb.Helper()
	items := make([]queue.Item, n)
	for i := range items {
		items[i] = queue.Item{ID: fmt.Sprint("i", i), Payload: []byte("work")}
	}
	if _, err := q.Enqueue(tb.Context(), items); err != nil {
		tb.Fatal(err)
	}
}

func TestWorkersShareAQueueInRedis(t *testing.T) {
	const items = 600
	q := openRedis(t)
	if _, err := q.SetPolicy(t.Context(), queue.Policy{RetryDelay: time.Millisecond, RetryDelayMax: 10 * time.Millisecond}, false); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	attempts, done := make(map[string]int), make(map[string]int)
	var workers []*worker.Worker
	handle := func(_ context.Context, a *worker.Attempt) error {
		mu.Lock()
		defer mu.Unlock()
		attempts[a.Item.ID]++
		switch {
		case len(attempts) == items/2:
			workers[0].Drain()
		case attempts[a.Item.ID] == 1 && len(a.Item.ID)%3 == 0:
			return errors.New("not the first time")
		}
		done[a.Item.ID]++
		a.Result = []byte(a.Worker)
		return nil
	}
	for i := range 3 {
		workers = append(workers, worker.New(q, worker.HandlerFunc(handle), worker.Options{
			ID: fmt.Sprint("w", i), Slots: 4, LeaveWhenIdle: true, Idle: 100 * time.Millisecond, SuspectAfter: -1,
		}))
	}
	enqueue(t, q, items)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() {
			want := worker.ResultLeft
			if i == 0 {
				want = worker.ResultDrained
			}
			if got, err := w.Run(ctx); err != nil || got != want {
				t.Errorf("worker %d: %s, %v; want %s", i, got, err, want)
			}
		})
	}
	wg.Wait()
	depth, err := q.Depth(t.Context())
	if err != nil || depth.Done != items || depth.Total() != items {
		t.Errorf("depth %+v, %v; want %d done", depth, err, items)
	}
	for id, n := range done {
		if n != 1 {
			t.Errorf("%s was done %d times", id, n)
		}
	}
	if len(done) != items {
		t.Errorf("%d items were done, want %d", len(done), items)
	}
}

func TestAWorkerWakesUpForAnItemInRedis(t *testing.T) {
	q := openRedis(t)
	started := make(chan string)
	w := worker.New(q, worker.HandlerFunc(func(ctx context.Context, a *worker.Attempt) error {
		select {
		case started <- a.Item.ID:
		case <-ctx.Done():
		}
		return nil
	}), worker.Options{})
	ended := make(chan error, 1)
	go func() {
		_, err := w.Run(context.WithoutCancel(t.Context()))
		ended <- err
	}()
	for i := range 3 {
		id := fmt.Sprint("i", i)
		if _, err := q.Enqueue(t.Context(), []queue.Item{{ID: id}}); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-started:
			if got != id {
				t.Errorf("started %s, want %s", got, id)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s was not started", id)
		}
	}
	w.Drain()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func BenchmarkItems(b *testing.B) {
	for _, slots := range []int{1, 10, 50} {
		b.Run(fmt.Sprint("slots=", slots), func(b *testing.B) {
			q := openRedis(b)
			enqueue(b, q, b.N)
			w := worker.New(q, worker.HandlerFunc(func(context.Context, *worker.Attempt) error { return nil }),
				worker.Options{Slots: slots, LeaveWhenIdle: true})
			b.ResetTimer()
			if _, err := w.Run(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}

func TestAGroupSharesSlotsOverQueuesInRedis(t *testing.T) {
	const items = 200
	server := miniredis.RunT(t)
	var mu sync.Mutex
	done, busy := make(map[string]int), make(map[int]bool)
	g := worker.NewGroup(3)
	queues := make(map[string]*queue.Queue)
	for i, name := range []string{"a", "b", "c"} {
		d, err := redisqueue.Open(t.Context(), redisqueue.Options{URL: "redis://" + server.Addr(), Queue: name})
		if err != nil {
			t.Fatal(err)
		}
		q := queue.New(d)
		t.Cleanup(func() {
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		})
		enqueue(t, q, items)
		queues[name] = q
		g.Add(1+10*i, worker.New(q, worker.HandlerFunc(func(_ context.Context, a *worker.Attempt) error {
			mu.Lock()
			if busy[a.Slot] {
				t.Errorf("slot %d is taken twice", a.Slot)
			}
			busy[a.Slot] = true
			mu.Unlock()
			runtime.Gosched() // others may start meanwhile
			mu.Lock()
			defer mu.Unlock()
			delete(busy, a.Slot)
			done[name]++
			return nil
		}), worker.Options{LeaveWhenIdle: true}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got, err := g.Run(ctx); err != nil || got != worker.ResultLeft {
		t.Errorf("the group: %s, %v; want %s", got, err, worker.ResultLeft)
	}
	for name, q := range queues {
		depth, err := q.Depth(t.Context())
		if err != nil || depth.Done != items || depth.Total() != items || done[name] != items {
			t.Errorf("queue %s: depth %+v, %v, %d ran; want %d done", name, depth, err, done[name], items)
		}
	}
}
