package redisqueue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
	"sluice.dev/queue/redisqueue"
)

func open(t testing.TB, url, name string) *redisqueue.Driver {
	t.Helper()
	d, ok := harness(url).Open(t, name).(*redisqueue.Driver)
	if !ok {
		t.Fatal("not a driver for Redis")
	}
	return d
}

// numbered is n items with ids of their own.
func numbered(prefix string, n int) []queue.Item {
	items := make([]queue.Item, n)
	for i := range items {
		items[i].ID = fmt.Sprintf("%s-%05d", prefix, i)
	}
	return items
}

// With one reply in twenty lost every item still has the one attempt, and its
// handler runs once.
func TestLostReplies(t *testing.T) {
	t.Parallel()
	const n, workers = 10_000, 8
	server := redistest.Start(t)
	p := startProxy(t, server.Addr)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	producer := queue.New(open(t, p.url(), "q"))
	sessions := make([]*queue.Session, workers)
	for i := range sessions {
		sessions[i] = queue.New(open(t, p.url(), "q")).Session(fmt.Sprintf("w%d", i))
	}
	p.loses(oneIn(20))
	for chunk := range slices.Chunk(numbered("item", n), 50) {
		for {
			if _, err := producer.Enqueue(ctx, chunk); err == nil {
				break
			} else if !errors.Is(err, queue.ErrUnavailable) {
				t.Fatal(err)
			}
		}
	}
	var mu sync.Mutex
	handled := map[string]int{}
	var wg sync.WaitGroup
	for i, s := range sessions {
		wg.Go(func() {
			var settle []queue.Settlement
			for {
				r, err := s.Exchange(ctx, settle, 5+i)
				if err != nil {
					t.Error(err)
					return
				}
				for i, err := range r.Settled {
					if err != nil {
						t.Errorf("ack of %s: %v", settle[i].Lease.Item.ID, err)
					}
				}
				if len(r.Leases) == 0 {
					return
				}
				settle = settle[:0:0]
				mu.Lock()
				for _, l := range r.Leases {
					handled[l.Item.ID]++
					settle = append(settle, queue.Settlement{Lease: l, Verb: queue.Ack})
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	lost := p.loses(nil)
	t.Logf("%d replies were lost", lost)
	if lost < 50 {
		t.Errorf("only %d replies were lost: that shows little", lost)
	}
	d, err := producer.Depth(ctx)
	if err != nil || d.Done != n || d.Total() != n {
		t.Errorf("depth is %+v, %v; want %d done", d, err, n)
	}
	recs, err := producer.Items(ctx, queue.Query{States: []queue.State{queue.Done}})
	if err != nil || len(recs) != n {
		t.Errorf("%d records, %v; want %d", len(recs), err, n)
	}
	for _, r := range recs {
		if r.Attempts != 1 || handled[r.Item.ID] != 1 {
			t.Errorf("%s: %d attempts, handled %d times", r.Item.ID, r.Attempts, handled[r.Item.ID])
		}
	}
}

// A worker that is killed with the ring in its hands leaves another waiting:
// that one gets the item within a second.
func TestKilledAtTheRing(t *testing.T) {
	t.Parallel()
	const rounds = 300
	server := redistest.Start(t)
	p := startProxy(t, server.Addr)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	producer := open(t, server.URL(), "q")
	alive := claimer(t, open(t, server.URL(), "q"), "alive")
	victim := open(t, p.url(), "q")

	var worst time.Duration
	for i := range rounds {
		x := queue.Exchange{Worker: "victim", Seq: uint64(i + 1), Claim: 1}
		if r, err := victim.Exchange(ctx, x); err != nil || len(r.Leases) > 0 {
			t.Fatalf("round %d: the victim got %v, %v", i, r.Leases, err)
		}
		killed := make(chan error, 1)
		go func() { killed <- victim.Wait(ctx, "victim", 20*time.Second) }()
		blocked(t, server.Addr, 2)
		p.loses(func() bool { return true })
		start := time.Now()
		if _, err := producer.Enqueue(ctx, []queue.Item{{ID: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
		at := <-alive
		worst = max(worst, at.Sub(start))
		if late := at.Sub(start); late > time.Second {
			t.Errorf("round %d: the ring was made good after %s", i, late)
		}
		if err := <-killed; !errors.Is(err, queue.ErrUnavailable) {
			t.Fatalf("round %d: the victim was to be killed: %v", i, err)
		}
		p.loses(nil)
	}
	t.Logf("%d rounds, the worst wake-up after %s", rounds, worst)
}

// claimer is a worker that claims an item at a time and says when it has one.
func claimer(t *testing.T, d queue.Driver, name string) <-chan time.Time {
	got := make(chan time.Time)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	s := queue.New(d).Session(name)
	wg.Go(func() {
		var settle []queue.Settlement
		for ctx.Err() == nil {
			r, err := s.Exchange(ctx, settle, 1)
			if err != nil {
				break
			}
			settle = nil
			for _, l := range r.Leases {
				settle = append(settle, queue.Settlement{Lease: l, Verb: queue.Ack})
				select {
				case got <- time.Now():
				case <-ctx.Done():
				}
			}
			if len(r.Leases) == 0 && s.Wait(ctx, r.Next) != nil {
				break
			}
		}
		if ctx.Err() == nil {
			t.Error("a claimer's store fails")
		}
	})
	return got
}

// The only worker is gone with its lease: who waits gets the item as soon as
// the deadline has passed.
func TestGoneWithItsLease(t *testing.T) {
	t.Parallel()
	const rounds, lease = 10, 300 * time.Millisecond
	server := redistest.Start(t)
	ctx := t.Context()
	var worst time.Duration
	for i := range rounds {
		name := fmt.Sprint("q", i)
		d := open(t, server.URL(), name)
		if _, err := d.SetPolicy(ctx, queue.Policy{Lease: lease, RetryDelay: time.Millisecond}, true); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Enqueue(ctx, []queue.Item{{ID: "a"}}); err != nil {
			t.Fatal(err)
		}
		r, err := d.Exchange(ctx, queue.Exchange{Worker: "gone", Seq: 1, Claim: 1})
		if err != nil || len(r.Leases) != 1 {
			t.Fatalf("claimed %v, %v", r.Leases, err)
		}
		deadline := time.Now().Add(lease)
		late := (<-claimer(t, open(t, server.URL(), name), "heir")).Sub(deadline)
		if worst = max(worst, late); late > time.Second {
			t.Errorf("round %d: claimed %s after the deadline", i, late)
		}
		if late < -50*time.Millisecond {
			t.Errorf("round %d: claimed %s before the deadline", i, -late)
		}
	}
	t.Logf("%d rounds, the latest claim %s after the deadline", rounds, worst)
}
