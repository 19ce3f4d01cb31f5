package queuetest

import (
	"bytes"
	"slices"
	"time"

	"sluice.dev/queue"
)

func enqueueSentences() []sentence {
	s := []sentence{
		{"an item that is put, claimed and acked is done", putClaimAck},
		{"a lease carries its item", leaseCarriesItem},
		{"one call adds many items, with an outcome for each", manyOutcomes},
		{"a delayed item is ready at its time and not before", delayedItem},
		{"only one item publishes an output", outputTaken},
		{"a done id is new again after the retention", retention},
		{"a done item is counted until the retention ends", func(q *subject) {
			q.force(queue.Policy{Retention: 10 * short})
			w := q.worker("w")
			q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "x"}, queue.Item{ID: "c", Batch: "y"})
			l := w.claims("a", "b", "c")
			w.acks(l[0])
			w.acks(l[2])
			q.wantDepth(queue.Depth{Leased: 1, Done: 2})
			q.after(20*short, queue.Depth{Leased: 1})
			q.wantBatch("x", queue.Depth{Leased: 1})
			q.wantListed(queue.Query{States: []queue.State{queue.Done}})
			w.acks(l[1])
			q.wantBatch("x", queue.Depth{Done: 1})
		}},
	}
	for _, known := range []struct {
		state  queue.State
		arrive func(q *subject)
	}{
		{queue.Delayed, func(q *subject) { q.put(queue.Item{ID: "a", Payload: []byte("one"), Delay: long}) }},
		{queue.Ready, func(q *subject) { q.put(queue.Item{ID: "a", Payload: []byte("one")}) }},
		{queue.Leased, func(q *subject) { arriveBy(q, 0) }},
		{queue.Done, func(q *subject) { arriveBy(q, queue.Ack) }},
		{queue.Dead, func(q *subject) { arriveBy(q, queue.Bury) }},
	} {
		s = append(s, sentence{
			"a known id is a duplicate or a conflict while it is " + string(known.state),
			func(q *subject) {
				known.arrive(q)
				knownID(q, known.state)
			},
		})
	}
	return s
}

func putClaimAck(q *subject) {
	w := q.worker("w")
	q.putIDs("a")
	q.wantDepth(queue.Depth{Ready: 1})
	l := w.claims("a")[0]
	q.wantDepth(queue.Depth{Leased: 1})
	w.acks(l)
	q.wantDepth(queue.Depth{Done: 1})
	w.claimsNothing()
}

func leaseCarriesItem(q *subject) {
	want := queue.Item{ID: "a", Payload: []byte("work"), Priority: 7, Batch: "b", Output: "out/a.png"}
	q.put(want)
	before := time.Now()
	l := q.worker("w").claims("a")[0]
	got := l.Item
	if got.ID != want.ID || !bytes.Equal(got.Payload, want.Payload) || got.Priority != want.Priority ||
		got.Batch != want.Batch || got.Output != want.Output {
		q.Errorf("the lease's item is %+v, want %+v", got, want)
	}
	if l.Attempt != 1 || l.Token == 0 || l.Committed != nil {
		q.Errorf("first lease: attempt %d, token %d, committed %q; want 1, above 0, nil", l.Attempt, l.Token, l.Committed)
	}
	full := queue.DefaultPolicy().Lease
	if l.TTL > full || l.TTL < full-time.Since(before)-time.Millisecond {
		q.Errorf("the lease's TTL is %s, want the policy's %s", l.TTL, full)
	}
}

func manyOutcomes(q *subject) {
	one, two := []byte("one"), []byte("two")
	q.put(queue.Item{ID: "old", Payload: one})
	got := q.enqueue(
		queue.Item{ID: "a", Payload: one},
		queue.Item{ID: "old", Payload: one},
		queue.Item{ID: "b", Payload: two},
		queue.Item{ID: "old", Payload: two},
		queue.Item{ID: "a", Payload: one},
		queue.Item{ID: "b", Payload: one},
	)
	want := []queue.Outcome{queue.Added, queue.Duplicate, queue.Added, queue.Conflict, queue.Duplicate, queue.Conflict}
	if !slices.Equal(got, want) {
		q.Errorf("outcomes are %v, want %v", got, want)
	}
	q.wantDepth(queue.Depth{Ready: 3})
	leases := q.worker("w").claims("old", "a", "b")
	if p := leases[2].Item.Payload; !bytes.Equal(p, two) {
		q.Errorf("a refused payload replaced the first: %q", p)
	}
}

func delayedItem(q *subject) {
	w := q.worker("w")
	before := time.Now()
	q.put(queue.Item{ID: "soon", Delay: short}, queue.Item{ID: "late", Delay: long})
	if q.h.Advance != nil {
		q.wantDepth(queue.Depth{Delayed: 2})
		w.claimsNothing()
	}
	q.after(short, queue.Depth{Delayed: 1, Ready: 1})
	if took := time.Since(before); q.h.Advance == nil && took < short-time.Millisecond {
		q.Errorf("an item delayed by %s was ready after %s", short, took)
	}
	w.acks(w.claims("soon")[0])
	w.claimsNothing()
	q.wantDue("late", long, 0)
	if q.h.Advance == nil {
		return
	}
	q.pass(long - short - 10*time.Second)
	w.claimsNothing()
	q.pass(10 * time.Second)
	w.claims("late")
}

func outputTaken(q *subject) {
	w := q.worker("w")
	a := queue.Item{ID: "a", Output: "out/x"}
	q.put(a)
	other := queue.Item{ID: "b", Output: "out/x"}
	q.wantOutcome(other, queue.OutputTaken)
	q.wantOutcome(a, queue.Duplicate)
	w.acks(w.claims("a")[0])
	q.wantOutcome(other, queue.OutputTaken)
	q.wantDepth(queue.Depth{Done: 1})
	q.put(queue.Item{ID: "b", Output: "out/y"})
	got := q.enqueue(queue.Item{ID: "c", Output: "out/z"}, queue.Item{ID: "d", Output: "out/z"}, queue.Item{ID: "e"})
	if want := []queue.Outcome{queue.Added, queue.OutputTaken, queue.Added}; !slices.Equal(got, want) {
		q.Errorf("outcomes of one call are %v, want %v", got, want)
	}
}

func retention(q *subject) {
	w := q.worker("w")
	q.force(queue.Policy{Retention: 10 * short})
	q.putIDs("a", "dead")
	w.acks(w.claims("a")[0])
	q.wantOutcome(queue.Item{ID: "a"}, queue.Duplicate)
	w.settles(queue.Settlement{Lease: w.claims("dead")[0], Verb: queue.Bury, Failure: failure("broken")})
	q.pass(11 * short)
	q.eventually(func() error {
		if o := q.enqueue(queue.Item{ID: "a", Payload: []byte("new")})[0]; o != queue.Added {
			return errOutcome(o)
		}
		return nil
	})
	w.claims("a")
	if r := q.record("dead"); r.State != queue.Dead {
		q.Errorf("a dead item is %s after the retention, want it dead until a person decides", r.State)
	}
}

// arriveBy brings item a to the state in which a verb leaves it, or to leased.
func arriveBy(q *subject, v queue.Verb) {
	q.Helper()
	w := q.worker("w")
	q.put(queue.Item{ID: "a", Payload: []byte("one")})
	l := w.claims("a")[0]
	if v != 0 {
		w.settles(queue.Settlement{Lease: l, Verb: v, Failure: failure("broken")})
	}
}

// knownID enqueues item a again, which is in this state.
func knownID(q *subject, state queue.State) {
	before := q.record("a")
	if before.State != state {
		q.Fatalf("a is %s, want %s", before.State, state)
	}
	depth := counts(q.depth())
	q.wantOutcome(queue.Item{ID: "a", Payload: []byte("one")}, queue.Duplicate)
	q.wantOutcome(queue.Item{ID: "a", Payload: []byte("one"), Priority: 9, Delay: time.Minute, Batch: "b"}, queue.Duplicate)
	q.wantOutcome(queue.Item{ID: "a", Payload: []byte("two")}, queue.Conflict)
	q.wantOutcome(queue.Item{ID: "a"}, queue.Conflict)
	q.wantDepth(depth)
	q.wantSame(before)
}
