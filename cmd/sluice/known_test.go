package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"sluice.dev/queue"
	"sluice.dev/queue/redisqueue"
)

func TestARunKnowsWhatItHasHad(t *testing.T) {
	var k known
	t.Cleanup(func() {
		if err := k.close(); err != nil {
			t.Error(err)
		}
	})
	for i, c := range []struct {
		item queue.Item
		want queue.Outcome
	}{
		{queue.Item{ID: "a"}, 0},
		{queue.Item{ID: "b", Output: "/out/b"}, 0},
		{queue.Item{ID: "a"}, queue.Duplicate},
		{queue.Item{ID: "b", Output: "/out/b"}, queue.Duplicate},
		{queue.Item{ID: "c", Output: "/out/b"}, queue.OutputTaken},
		{queue.Item{ID: "d", Output: "/out/d"}, 0},
	} {
		if got, err := k.outcome(c.item); err != nil || got != c.want {
			t.Errorf("item %d: %v, %v, want %v", i+1, got, err, c.want)
		}
	}
}

// late is a queue to which the last items come just after each look at it.
type late struct {
	queue.Driver
	come func()
}

func (l late) Depth(ctx context.Context) (queue.Depth, error) {
	defer l.come()
	return l.Driver.Depth(ctx)
}

// An empty queue was no end where all that was to come came after the look.
func TestTallyDoesNotTakeALookForTheEnd(t *testing.T) {
	d, err := redisqueue.Open(t.Context(), redisqueue.Options{URL: "redis://" + miniredis.RunT(t).Addr(), Queue: "q"})
	if err != nil {
		t.Fatal(err)
	}
	ta := tally{}
	ta.Queue = queue.New(late{d, func() { ta.sealed.Store(true) }})
	t.Cleanup(func() { _ = ta.Close() })
	for _, want := range []bool{false, true} {
		if expect(t, &ta, 0, 0); ta.whole != want {
			t.Errorf("that no more comes was known before the look: %t, want %t", ta.whole, want)
		}
	}
}

// forgetful is a run's queue, in a store whose clock stands.
func forgetful(t *testing.T) (*queue.Queue, *miniredis.Miniredis, time.Time) {
	t.Helper()
	store, now := miniredis.RunT(t), time.Now()
	store.SetTime(now)
	d, err := redisqueue.Open(t.Context(), redisqueue.Options{URL: "redis://" + store.Addr(), Queue: "q"})
	if err != nil {
		t.Fatal(err)
	}
	q := queue.New(d)
	t.Cleanup(func() { _ = q.Close() })
	if _, err := d.SetPolicy(t.Context(), queue.Policy{Retention: retention}, false); err != nil {
		t.Fatal(err)
	}
	return q, store, now
}

// What the store has forgotten is done all the same, and no longer there.
func TestTallyCountsWhatTheStoreHasForgotten(t *testing.T) {
	q, store, now := forgetful(t)
	ta := tally{Queue: q}
	add := func(from, to int) {
		t.Helper()
		var items []queue.Item
		for i := range to - from {
			items = append(items, queue.Item{ID: fmt.Sprint("i", from+i), Payload: []byte("x"), Batch: batchName})
		}
		if _, err := ta.Enqueue(t.Context(), items); err != nil {
			t.Fatal(err)
		}
	}
	add(0, 10)
	if _, err := q.Enqueue(t.Context(), []queue.Item{{ID: "i10", Payload: []byte("x"), Batch: batchName}}); err != nil {
		t.Fatal(err) // its answer is lost
	}
	s := q.Session("w")
	work := func(n int) {
		t.Helper()
		r, err := s.Exchange(t.Context(), nil, n)
		if err != nil || len(r.Leases) != n {
			t.Fatalf("%d leases, %v", len(r.Leases), err)
		}
		var acks []queue.Settlement
		for _, l := range r.Leases {
			acks = append(acks, queue.Settlement{Lease: l, Verb: queue.Ack})
		}
		if _, err := s.Exchange(t.Context(), acks, 0); err != nil {
			t.Fatal(err)
		}
	}
	work(7)
	expect(t, &ta, 7, 4)
	store.SetTime(now.Add(5 * time.Minute))
	add(10, 12)
	if d, err := q.Depth(t.Context()); err != nil || d.Done != 0 {
		t.Fatalf("the store has %d done, %v: it should have forgotten them", d.Done, err)
	}
	expect(t, &ta, 7, 5)
	work(5)
	expect(t, &ta, 12, 0)
}

func expect(t *testing.T, ta *tally, done, unfinished int64) {
	t.Helper()
	d, err := ta.Depth(context.Background())
	if err != nil || d.Done != done || d.Unfinished() != unfinished {
		t.Errorf("%d done, %d unfinished, %v; want %d and %d", d.Done, d.Unfinished(), err, done, unfinished)
	}
}
