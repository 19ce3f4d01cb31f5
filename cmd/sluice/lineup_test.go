package main

import (
	"slices"
	"testing"
	"time"

	"sluice.dev/internal/console"
	"sluice.dev/queue"
)

// enter puts items into the line and into the queue.
func enter(t *testing.T, l *lineup, q *queue.Queue, ids ...string) {
	t.Helper()
	var items []queue.Item
	for _, id := range ids {
		items = append(items, queue.Item{ID: id, Payload: []byte("x"), Batch: batchName})
	}
	fresh := l.expect(items)
	outcomes, err := q.Enqueue(t.Context(), items)
	if err != nil {
		t.Fatal(err)
	}
	l.added(items, fresh, outcomes)
}

func newLineup(t *testing.T) *lineup {
	t.Helper()
	command, err := (&itemFlags{Argv: []string{"true"}}).parse()
	if err != nil {
		t.Fatal(err)
	}
	return &lineup{items: make(map[string]*standing), command: command}
}

// do has a worker end the first n items, and tell nobody.
func do(t *testing.T, q *queue.Queue, n int) {
	t.Helper()
	s := q.Session("w")
	r, err := s.Exchange(t.Context(), nil, n)
	if err != nil || len(r.Leases) != n {
		t.Fatalf("%d leases, %v; want %d", len(r.Leases), err, n)
	}
	var acks []queue.Settlement
	for _, l := range r.Leases {
		acks = append(acks, queue.Settlement{Lease: l, Verb: queue.Ack})
	}
	if _, err := s.Exchange(t.Context(), acks, 0); err != nil {
		t.Fatal(err)
	}
}

func TestWhatADeadWorkerDidNotTell(t *testing.T) {
	q, store, now := forgetful(t)
	l := newLineup(t)
	enter(t, l, q, "told", "forgotten", "kept", "waiting")
	l.expect([]queue.Item{{ID: "never came"}})
	do(t, q, 2)
	store.SetTime(now.Add(5 * time.Minute))
	do(t, q, 1)
	if recs, err := q.Items(t.Context(), queue.Query{ID: "forgotten"}); err != nil || len(recs) > 0 {
		t.Fatalf("the store has %v, %v: it should have forgotten it", recs, err)
	}
	l.over(console.Event{ID: "told"})
	if ends, err := l.untold(t.Context(), q, nil); err != nil || len(ends) > 0 {
		t.Errorf("%v, %v: no worker died", ends, err)
	}

	l.lose()
	ends, err := l.untold(t.Context(), q, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range ends {
		ids = append(ids, e.ID)
		if e.Verb != queue.Ack || e.Attempt != 1 {
			t.Errorf("%s: %+v, want it done at the first attempt", e.ID, e)
		}
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"forgotten", "kept"}) {
		t.Errorf("ended without a word: %q", ids)
	}
}

// The first of the line is over when the store no longer has it; not when it
// has yet to come there.
func TestTheLineupGoesOnPastWhatIsForgotten(t *testing.T) {
	q, store, now := forgetful(t)
	c := console.New(console.Options{})
	t.Cleanup(func() { _ = c.Close() })
	order, err := console.NewOrder(c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l := newLineup(t)
	l.order = order
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	enter(t, l, q, "a")
	l.expect([]queue.Item{{ID: "b"}})
	do(t, q, 1)
	store.SetTime(now.Add(5 * time.Minute))
	enter(t, l, q, "c") // which has the store forget
	for i, want := range []string{"a", "a", "a", "b", "b", "b", "b"} {
		if first, _ := order.First(); first != want {
			t.Fatalf("before look %d all wait for %q, want %q", i+1, first, want)
		}
		ends, err := l.look(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range ends {
			l.over(e)
		}
	}
}
