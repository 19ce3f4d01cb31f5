// Package natscluster takes a queue on three nats-servers through the death of
// each of them.
package natscluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
)

// items is small where all tests run; 'make test-nats-cluster' gives 100000.
var items = flag.Int("items", 3000, "how many `items` go through the cluster")

func TestMain(m *testing.M) {
	if natstest.Main() {
		return
	}
	goleak.VerifyTestMain(m)
}

// tally counts what the workers were told.
type tally struct {
	mu    sync.Mutex
	acked map[string]int
	lost  int // acknowledgements that were refused: the item had another holder
	last  time.Time
	pause time.Duration // the longest between two answers, since watch
}

// count is how many items are done.
func (w *tally) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// Every item is done, and was acknowledged once, though each node is killed and
// comes back while they are enqueued and worked on.
func TestEveryItemIsDoneOnceThoughEachNodeIsKilled(t *testing.T) {
	const producers, workers, nodes = 4, 8, 3
	n := *items
	limited, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	ctx, end := context.WithCancelCause(limited)
	defer end(nil)
	fail := func(err error) {
		if err != nil {
			end(err) // nobody waits for what will not come
		}
	}
	cluster := natstest.StartCluster(t)
	url := cluster.URL() + "?replicas=3"
	began := time.Now()

	var wg sync.WaitGroup
	work := &tally{acked: make(map[string]int, n)}
	for w := range workers {
		s := open(ctx, t, url).Session(fmt.Sprintf("w%d", w))
		wg.Go(func() { fail(work.run(ctx, s, n)) })
	}
	sources := make([]*queue.Queue, producers)
	for p := range sources {
		sources[p] = open(ctx, t, url)
	}
	var added atomic.Int64
	for i, node := range cluster.Nodes {
		first, next := i*n/nodes, (i+1)*n/nodes
		for p, q := range sources {
			from, to := first+p*(next-first)/producers, first+(p+1)*(next-first)/producers
			wg.Go(func() { fail(produce(ctx, q, from, to, &added)) })
		}
		work.reach(ctx, t, first+(next-first)/3)
		node.Kill()
		done := work.watch()
		work.reach(ctx, t, next)
		t.Logf("node %d killed with %d done: the longest pause was %s", i, done, work.watched().Round(time.Millisecond))
		node.Restart(t)
	}
	wg.Wait()
	took := time.Since(began)

	d, err := open(ctx, t, url).Depth(ctx)
	if err != nil || d.Done != int64(n) || d.Total() != int64(n) {
		t.Errorf("depth is %+v, %v; want %d done", d, err, n)
	}
	if added.Load() != int64(n) {
		t.Errorf("%d of %d items were added", added.Load(), n)
	}
	twice := 0
	for _, times := range work.acked {
		if times != 1 {
			twice++
		}
	}
	if len(work.acked) != n || twice > 0 {
		t.Errorf("%d of %d items were acknowledged, %d of them more than once", len(work.acked), n, twice)
	}
	t.Logf("%d items in %s; %d acknowledgements were refused", n, took.Round(time.Millisecond), work.lost)
}

func open(ctx context.Context, t *testing.T, url string) *queue.Queue {
	t.Helper()
	d, err := natsqueue.Open(ctx, url, "q")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return queue.New(d)
}

// produce enqueues the items from one number up to another, 100 a call. A call
// that is repeated finds what it has added as duplicates.
func produce(ctx context.Context, q *queue.Queue, from, to int, added *atomic.Int64) error {
	numbers := make([]queue.Item, 0, to-from)
	for i := from; i < to; i++ {
		numbers = append(numbers, queue.Item{ID: fmt.Sprint(i), Payload: []byte("payload of " + fmt.Sprint(i))})
	}
	for call := range slices.Chunk(numbers, 100) {
		outcomes, err := q.Enqueue(ctx, call)
		for errors.Is(err, queue.ErrUnavailable) && ctx.Err() == nil {
			outcomes, err = q.Enqueue(ctx, call)
		}
		if err != nil {
			return fmt.Errorf("enqueue: %w", err)
		}
		for _, o := range outcomes {
			if o == queue.Added || o == queue.Duplicate {
				added.Add(1)
			}
		}
	}
	return nil
}

// run claims and acknowledges until all is done.
func (w *tally) run(ctx context.Context, s *queue.Session, all int) error {
	var settle []queue.Settlement
	for w.count() < all {
		r, err := s.Exchange(ctx, settle, 50)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Worker(), err)
		}
		if err := w.note(settle, r.Settled); err != nil {
			return fmt.Errorf("%s: %w", s.Worker(), err)
		}
		settle = settle[:0:0]
		for _, l := range r.Leases {
			settle = append(settle, queue.Settlement{Lease: l, Verb: queue.Ack})
		}
		if len(settle) == 0 && len(r.Settled) == 0 {
			if err := s.Wait(ctx, min(r.Next, time.Second)); err != nil && ctx.Err() == nil {
				return fmt.Errorf("%s: %w", s.Worker(), err)
			}
		}
	}
	return nil
}

// note counts what a worker was answered.
func (w *tally) note(settle []queue.Settlement, answers []error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pause, w.last = max(w.pause, time.Since(w.last)), time.Now()
	for i, err := range answers {
		switch {
		case err == nil:
			w.acked[settle[i].Lease.Item.ID]++
		case errors.Is(err, queue.ErrLeaseLost):
			w.lost++
		default:
			return err
		}
	}
	return nil
}

// watch begins to look for pauses, and tells how many items are done.
func (w *tally) watch() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.pause = time.Now(), 0
	return len(w.acked)
}

// watched is the longest pause since watch.
func (w *tally) watched() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pause
}

// reach waits until so many are done.
func (w *tally) reach(ctx context.Context, t *testing.T, want int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for w.count() < want {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d of %d were done: %v", w.count(), want, context.Cause(ctx))
		}
	}
}
