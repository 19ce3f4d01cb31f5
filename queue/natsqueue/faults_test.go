package natsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
)

// A leader that dies at any moment loses nothing and doubles nothing: its
// clients ask again, and another answers as it would have.
func TestALeaderThatDies(t *testing.T) {
	t.Parallel()
	url := natstest.Start(t).URL()
	for _, f := range []struct {
		point string
		every int64 // hit of the point
		most  int64 // hits
	}{
		{"elected", 1, 3},
		{"loaded", 1, 3},
		{"before a commit", 15, 6},
		{"written", 15, 6},
		{"stored", 15, 6},
		{"inside a snapshot", 1, 4},
		{"marked", 1, 4},
	} {
		t.Run(f.point, func(t *testing.T) {
			var hits, deaths atomic.Int64
			hook := func(at string) bool {
				if at != f.point || hits.Add(1)%f.every != 0 || deaths.Load() >= f.most {
					return false
				}
				deaths.Add(1)
				return true
			}
			began := time.Now()
			finish(t, crowd(t, url, 4, hook), 2000)
			t.Logf("%d deaths of a leader, %s", deaths.Load(), time.Since(began).Round(time.Millisecond))
			if deaths.Load() != f.most {
				t.Errorf("a leader died %d times, want %d", deaths.Load(), f.most)
			}
		})
	}
}

// A leader that is stopped, and not dead, goes on when another has been
// elected: what it then says does not count.
func TestALeaderThatIsStopped(t *testing.T) {
	t.Parallel()
	url := natstest.Start(t).URL()
	var hits, stops atomic.Int64
	finish(t, crowd(t, url, 4, func(at string) bool {
		if at == "before a commit" && hits.Add(1) == 40 {
			stops.Add(1)
			<-time.After(5 * time.Second)
		}
		return false
	}), 2000)
	if stops.Load() != 1 {
		t.Errorf("a leader was stopped %d times, want once", stops.Load())
	}
}

// With one answer in twenty lost every item still has the one attempt, and its
// handler runs once.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	var answers, lost atomic.Int64
	finish(t, crowd(t, natstest.Start(t).URL(), 8, func(at string) bool {
		if at != "answer" || answers.Add(1)%20 != 0 {
			return false
		}
		lost.Add(1)
		return true
	}), 10_000)
	t.Logf("%d of %d answers were lost", lost.Load(), answers.Load())
	if lost.Load() < 50 {
		t.Errorf("only %d answers were lost: that shows little", lost.Load())
	}
}

// A worker that is killed as it is rung leaves another waiting: that one gets
// the item within a second.
func TestAWaiterThatDies(t *testing.T) {
	t.Parallel()
	const rounds = 10
	url := natstest.Start(t).URL()
	o := natsqueue.Options{Queue: "q"}
	producer, alive := queue.New(open(t, url, o)), queue.New(open(t, url, o)).Session("alive")
	var worst time.Duration
	var settle []queue.Settlement
	for i := range rounds {
		victim, err := natsqueue.New(t.Context(), connect(t, url), o)
		if err != nil {
			t.Fatal(err)
		}
		waits := make(chan struct{}, 2)
		victim.Waits(func() { waits <- struct{}{} })
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() { _ = victim.Wait(ctx, "victim", time.Minute) })
		<-waits
		victim.Kill()
		got := make(chan time.Time, 1)
		if r, err := alive.Exchange(t.Context(), settle, 1); err != nil || len(r.Leases) > 0 {
			t.Fatalf("round %d: claimed %v, %v", i, r.Leases, err)
		}
		wg.Go(func() {
			if err := alive.Wait(t.Context(), time.Minute); err != nil {
				t.Error(err)
			}
			got <- time.Now()
		})
		start := time.Now()
		if _, err := producer.Enqueue(t.Context(), []queue.Item{{ID: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
		worst = max(worst, (<-got).Sub(start))
		r, err := alive.Exchange(t.Context(), nil, 1)
		if err != nil || len(r.Leases) != 1 {
			t.Fatalf("round %d: claimed %v, %v", i, r.Leases, err)
		}
		settle = []queue.Settlement{{Lease: r.Leases[0], Verb: queue.Ack}}
		cancel()
		if err := victim.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	}
	t.Logf("%d rounds, the worst wake-up after %s", rounds, worst)
	if worst > time.Second {
		t.Errorf("a ring that was lost was made good after %s", worst)
	}
}

// A question that was sent twice, and comes the second time when its client has
// long gone on, does not happen again.
func TestALateQuestion(t *testing.T) {
	t.Parallel()
	d := open(t, natstest.Start(t).URL(), natsqueue.Options{Queue: "q"})
	var late func()
	d.Asked(func(again func()) { late = again })
	if err := d.Pause(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	goOn := late
	if err := d.Pause(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Enqueue(t.Context(), []queue.Item{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	add := late
	if errs, err := d.ChangeItems(t.Context(), queue.DeleteItem, []string{"a"}); err != nil || errs[0] != nil {
		t.Fatal(errs, err)
	}
	goOn()
	add()
	if depth, err := d.Depth(t.Context()); err != nil || !depth.Paused || depth.Total() != 0 {
		t.Errorf("depth is %+v, %v; want a paused queue and nothing in it", depth, err)
	}
}

// crowd is clients of a queue, any of which may come to lead it.
func crowd(t *testing.T, url string, n int, hook func(string) bool) []*queue.Queue {
	t.Helper()
	name := fmt.Sprintf("q%d", time.Now().UnixNano())
	out := make([]*queue.Queue, n)
	for i := range out {
		d := open(t, url, natsqueue.Options{Queue: name})
		d.Hook(hook, 20<<10)
		out[i] = queue.New(d)
	}
	return out
}

// finish enqueues n items and finishes them, by all clients at once, and wants
// each of them added once, handled once and done after one attempt.
func finish(t *testing.T, clients []*queue.Queue, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	items := make([]queue.Item, n)
	for i := range items {
		items[i] = queue.Item{ID: fmt.Sprintf("item-%05d", i), Payload: fmt.Append(nil, "payload of ", i), Priority: 1 + i%9}
	}
	var added atomic.Int64
	handled := &tally{by: map[string]int{}}
	var wg sync.WaitGroup
	share := (n + len(clients) - 1) / len(clients)
	for i, q := range clients {
		mine := items[min(i*share, n):min((i+1)*share, n)]
		wg.Go(func() {
			for page := range slices.Chunk(mine, 20) {
				out, err := q.Enqueue(ctx, page)
				if err != nil {
					t.Errorf("Enqueue: %v", err)
					return
				}
				for _, o := range out {
					if o == queue.Added {
						added.Add(1)
					} else {
						t.Errorf("an item is %s", o)
					}
				}
			}
		})
		wg.Go(func() {
			if err := handled.work(ctx, q.Session(fmt.Sprint("w", i)), 5+i, n); err != nil {
				t.Error(err)
				cancel()
			}
		})
	}
	wg.Wait()
	if got := added.Load(); got != int64(n) {
		t.Errorf("producers were told of %d added items, want %d", got, n)
	}
	d, err := clients[0].Depth(t.Context())
	if err != nil || d.Done != int64(n) || d.Total() != int64(n) {
		t.Errorf("depth is %+v, %v; want %d done", d, err, n)
	}
	recs, err := clients[len(clients)-1].Items(t.Context(), queue.Query{States: []queue.State{queue.Done}})
	if err != nil || len(recs) != n {
		t.Errorf("%d records, %v; want %d", len(recs), err, n)
	}
	for _, r := range recs {
		if r.Attempts != 1 || handled.by[r.Item.ID] != 1 {
			t.Errorf("%s: %d attempts, handled %d times", r.Item.ID, r.Attempts, handled.by[r.Item.ID])
		}
	}
}

// tally is what was handled, by all.
type tally struct {
	mu sync.Mutex
	by map[string]int
}

// work claims and acks until n items are handled in all.
func (c *tally) work(ctx context.Context, s *queue.Session, claim, n int) error {
	var settle []queue.Settlement
	for {
		r, err := s.Exchange(ctx, settle, claim)
		if err != nil {
			return err
		}
		for i, err := range r.Settled {
			if err != nil {
				return fmt.Errorf("ack of %s: %w", settle[i].Lease.Item.ID, err)
			}
		}
		settle = settle[:0:0]
		c.mu.Lock()
		for _, l := range r.Leases {
			c.by[l.Item.ID]++
			settle = append(settle, queue.Settlement{Lease: l, Verb: queue.Ack})
			if want := "payload of "; len(l.Item.Payload) <= len(want) {
				err = errors.Join(err, fmt.Errorf("%s has payload %q", l.Item.ID, l.Item.Payload))
			}
		}
		done := len(c.by) == n
		c.mu.Unlock()
		switch {
		case err != nil:
			return err
		case len(settle) > 0:
		case done:
			return nil
		default:
			if err := s.Wait(ctx, min(r.Next, time.Second)); err != nil {
				return err
			}
		}
	}
}
