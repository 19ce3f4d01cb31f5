package queuetest

import (
	"reflect"

	"sluice.dev/queue"
)

func fenceSentences() []sentence {
	s := []sentence{
		{"a stale extend is refused and changes nothing", staleExtend},
		{"a stale commit is refused and changes nothing", staleCommit},
		{"a lease that is settled cannot be settled again", settledOnce},
		{"a stale settlement does not hold up the others", staleAmongOthers},
		{"a stale lease does not hold up the extension of others", staleExtendAmongOthers},
		{"a passed deadline alone ends no token", passedDeadline},
		{"a claim that passes an expired item by ends no token", passedBy},
		{"a lease that ends late counts one attempt", lateNack},
	}
	for _, v := range []queue.Verb{queue.Ack, queue.Nack, queue.Release, queue.Bury} {
		s = append(s, sentence{
			"a stale " + v.String() + " is refused and changes nothing",
			func(q *subject) { staleSettle(q, v) },
		})
	}
	return s
}

// zombie is a worker whose lease ran out and went to another.
type zombie struct {
	*worker
	stale   queue.Lease
	heir    *worker
	current queue.Lease
}

func (q *subject) zombie() *zombie {
	q.Helper()
	z := &zombie{worker: q.worker("zombie"), heir: q.worker("heir")}
	z.stale = q.expired(z.worker, "a")
	z.current = z.heir.claims("a")[0]
	if z.current.Token <= z.stale.Token {
		q.Fatalf("token %d followed token %d", z.current.Token, z.stale.Token)
	}
	return z
}

// expired puts an item and gives a lease of it whose deadline has passed; the
// item is ready again, and what is leased next is leased for long.
func (q *subject) expired(w *worker, id string) queue.Lease {
	q.Helper()
	q.force(queue.Policy{Lease: short, RetryDelay: shortest})
	q.putIDs(id)
	depth := counts(q.depth())
	l := w.claims(id)[0]
	q.force(queue.Policy{Lease: minute})
	q.after(2*short, depth)
	return l
}

// refused wants that an act of the zombie changed nothing, and that its heir
// is still the one who may end the lease.
func (z *zombie) refused(what string, act func() error) {
	q := z.q
	q.Helper()
	before, depth := q.record("a"), counts(q.depth())
	q.wantLost(what, act())
	q.wantDepth(depth)
	q.wantSame(before)
	z.heir.settles(queue.Settlement{Lease: z.current, Verb: queue.Ack, Result: []byte("the heir's")})
	if r := q.record("a"); r.State != queue.Done || string(r.Result) != "the heir's" {
		q.Errorf("the item is %s with result %q, want it done with the heir's", r.State, r.Result)
	}
}

// wantSame wants an item's record to be what it was.
func (q *subject) wantSame(before queue.Record) {
	q.Helper()
	now := q.record(before.Item.ID)
	now.Due, before.Due = 0, 0
	if !reflect.DeepEqual(now, before) {
		q.Fatalf("the record changed from %+v to %+v", before, now)
	}
}

func staleSettle(q *subject, v queue.Verb) {
	z := q.zombie()
	z.refused("a stale "+v.String(), func() error {
		return z.settle(queue.Settlement{Lease: z.stale, Verb: v, Result: []byte("the zombie's"), Failure: failure("zombie")})
	})
}

func staleExtend(q *subject) {
	z := q.zombie()
	q.force(queue.Policy{Lease: long})
	z.refused("a stale extend", func() error { return z.extend(z.stale) })
	// The heir's own lease, had it been extended in the zombie's name.
	z = &zombie{worker: q.worker("zombie2"), heir: q.worker("heir2")}
	z.stale = q.expired(z.worker, "b")
	z.heir.claims("b")
	q.force(queue.Policy{Lease: long})
	q.wantLost("a stale extend", z.extend(z.stale))
	if due := q.depth().NextDue; due > minute {
		q.Errorf("the heir's lease has %s left after a stale extend, want at most %s", due, minute)
	}
}

func staleCommit(q *subject) {
	z := q.zombie()
	q.wantLost("a stale commit", q.d.Commit(q.ctx, z.stale, []byte("the zombie's")))
	z.heir.releases(z.current)
	l := z.heir.claims("a")[0]
	if l.Committed != nil {
		q.Errorf("a stale commit is in the next lease: %q", l.Committed)
	}
	z.heir.acks(l)
	q.wantLost("a commit after the ack", q.d.Commit(q.ctx, l, []byte("too late")))
}

func settledOnce(q *subject) {
	w := q.worker("w")
	q.putIDs("a", "b")
	l := w.claims("a", "b")
	w.acks(l[0])
	w.settles(queue.Settlement{Lease: l[1], Verb: queue.Nack, Failure: failure("no luck"), After: long})
	before := q.record("b")
	for i, id := range []string{"a", "b"} {
		for _, v := range []queue.Verb{queue.Ack, queue.Nack, queue.Release, queue.Bury} {
			q.wantLost("a second settlement, "+v.String()+" of "+id, w.settle(queue.Settlement{Lease: l[i], Verb: v}))
		}
		q.wantLost("extend of the settled "+id, w.extend(l[i]))
	}
	q.wantDepth(queue.Depth{Delayed: 1, Done: 1})
	q.wantSame(before)
}

func staleAmongOthers(q *subject) {
	z := q.zombie()
	q.putIDs("b", "c")
	l := z.claims("b", "c")
	r := z.send(queue.Exchange{Settle: []queue.Settlement{
		{Lease: l[0], Verb: queue.Ack}, {Lease: z.stale, Verb: queue.Ack}, {Lease: l[1], Verb: queue.Ack},
	}})
	if r.Settled[0] != nil || r.Settled[2] != nil {
		q.Errorf("current leases were refused beside a stale one: %v", r.Settled)
	}
	q.wantLost("the stale one", r.Settled[1])
	q.wantDepth(queue.Depth{Leased: 1, Done: 2})
}

func staleExtendAmongOthers(q *subject) {
	z := q.zombie()
	q.putIDs("b", "c")
	l := z.claims("b", "c")
	errs, err := q.d.Extend(q.ctx, z.id, []queue.Lease{l[0], z.stale, l[1]})
	if err != nil || len(errs) != 3 || errs[0] != nil || errs[2] != nil {
		q.Fatalf("Extend of a current, a stale and a current lease: %v, %v", errs, err)
	}
	q.wantLost("the stale one", errs[1])
}

func passedDeadline(q *subject) {
	w := q.worker("w")
	acked := q.expired(w, "acked")
	w.acks(acked)
	extended := q.expired(w, "extended")
	if err := w.extend(extended); err != nil {
		q.Fatalf("extend after the deadline: %v", err)
	}
	q.wantDepth(queue.Depth{Leased: 1, Done: 1})
	q.worker("other").claimsNothing()
	w.acks(extended)
	committed := q.expired(w, "committed")
	w.commits(committed, "record")
	w.acks(committed)
	q.wantDepth(queue.Depth{Done: 3})
}

// passedBy lets another worker look while the expired item waits out its
// retry delay: it is no longer leased, but it is nobody else's either.
func passedBy(q *subject) {
	w, other := q.worker("w"), q.worker("other")
	q.force(queue.Policy{Lease: short, RetryDelay: long, RetryDelayMax: long})
	q.putIDs("acked", "extended")
	l := w.claims("acked", "extended")
	q.force(queue.Policy{Lease: minute})
	q.after(2*short, queue.Depth{Delayed: 2})
	other.claimsNothing()
	if err := w.extend(l[1]); err != nil {
		q.Fatalf("extend after the deadline: %v", err)
	}
	w.acks(l[0])
	q.wantDepth(queue.Depth{Leased: 1, Done: 1})
	if r := q.record("extended"); r.Attempts != 0 || len(r.Failures) != 0 {
		q.Errorf("a lease that goes on counts %d attempts with failures %v", r.Attempts, r.Failures)
	}
	w.acks(l[1])
	q.wantDepth(queue.Depth{Done: 2})
}

func lateNack(q *subject) {
	w := q.worker("w")
	l := q.expired(w, "a")
	q.force(queue.Policy{RetryDelay: minute})
	w.nacks(l)
	r := q.record("a")
	if r.State != queue.Delayed || r.Attempts != 1 || len(r.Failures) != 1 || r.Failures[0] != failure("no luck") {
		q.Errorf("a nack after the deadline left %+v, want it delayed after the one attempt", r)
	}
}
