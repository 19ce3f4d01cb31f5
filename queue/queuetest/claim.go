package queuetest

import (
	"fmt"

	"sluice.dev/queue"
)

var claimSentences = []sentence{
	{"an empty queue gives neither a lease nor an error", func(q *subject) {
		w := q.worker("w")
		w.claimsNothing()
		w.claim(0)
		q.wantDepth(queue.Depth{})
	}},
	{"a claimed item is hidden from others", func(q *subject) {
		q.putIDs("a", "b")
		q.worker("w1").claims("a")
		q.worker("w2").claims("b")
		q.worker("w3").claimsNothing()
		q.wantDepth(queue.Depth{Leased: 2})
	}},
	{"a claim takes at most n", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a", "b", "c", "d", "e")
		if got := w.claim(0); len(got) != 0 {
			q.Errorf("a claim of 0 gave %q", ids(got))
		}
		w.claims("a", "b", "c")
		if got := w.claim(3); len(got) != 2 {
			q.Errorf("a claim of 3 among 2 gave %q", ids(got))
		}
	}},
	{"within a priority the order is that of the enqueue", func(q *subject) {
		w := q.worker("w")
		for i := 0; i < 30; i += 3 {
			q.putIDs(itemID(i), itemID(i+1), itemID(i+2))
		}
		for i := 0; i < 30; i += 5 {
			w.claims(itemID(i))
			w.claims(itemID(i+1), itemID(i+2), itemID(i+3), itemID(i+4))
		}
	}},
	{"priority 9 comes before 5 and 5 before 1", func(q *subject) {
		q.put(
			queue.Item{ID: "1", Priority: 1}, queue.Item{ID: "5", Priority: 5}, queue.Item{ID: "9", Priority: 9},
			queue.Item{ID: "2", Priority: 2}, queue.Item{ID: "unstated"}, queue.Item{ID: "8", Priority: 8},
		)
		w := q.worker("w")
		w.claims("9", "8", "5", "unstated")
		q.put(queue.Item{ID: "9 too", Priority: 9})
		w.claims("9 too", "2", "1")
	}},
	{"within a priority an older batch comes first", func(q *subject) {
		q.put(queue.Item{ID: "a1", Batch: "older"}, queue.Item{ID: "b1", Batch: "younger"})
		q.put(queue.Item{ID: "a2", Batch: "older"}, queue.Item{ID: "b9", Batch: "younger", Priority: 9})
		q.worker("w").claims("b9", "a1", "a2", "b1")
	}},
	{"tokens grow and never repeat", tokensGrow},
	{"a token is no smaller than the time that passed", tokensKeepTime},
	{"one exchange settles and claims", settleAndClaim},
}

func tokensGrow(q *subject) {
	w := q.worker("w")
	q.putIDs("a", "b", "c")
	var last uint64
	see := func(leases []queue.Lease) []queue.Lease {
		for _, l := range leases {
			if l.Token <= last {
				q.Fatalf("token %d of %q came after token %d", l.Token, l.Item.ID, last)
			}
			last = l.Token
		}
		return leases
	}
	leases := see(w.claims("a", "b", "c"))
	w.releases(leases[1])
	see(w.claims("b"))
	w.acks(leases[0])
	q.putIDs("d")
	see(q.worker("w2").claims("d"))
	w.releases(leases[2])
	see(q.worker("w2").claims("c"))
}

// tokensKeepTime is what keeps tokens unique in a store that lost its last
// writes: it counts on from its clock, in microseconds.
func tokensKeepTime(q *subject) {
	w := q.worker("w")
	q.putIDs("a")
	first := w.claims("a")[0].Token
	q.put(queue.Item{ID: "b", Delay: short})
	q.after(short, queue.Depth{Leased: 1, Ready: 1})
	second := w.claims("b")[0].Token
	if second-first < uint64(short.Microseconds()) {
		q.Errorf("tokens %d and %d are %d apart after %s, want one a microsecond", first, second, second-first, short)
	}
}

func settleAndClaim(q *subject) {
	w := q.worker("w")
	q.putIDs("a", "b", "c", "d")
	l := w.claims("a", "b", "c")
	r := w.send(queue.Exchange{
		Settle: []queue.Settlement{
			{Lease: l[0], Verb: queue.Ack},
			{Lease: l[1], Verb: queue.Nack, Failure: failure("no luck"), After: long},
			{Lease: l[0], Verb: queue.Ack},
			{Lease: l[2], Verb: queue.Bury, Failure: failure("broken")},
		},
		Claim: 5,
	})
	for i, err := range r.Settled {
		if i == 2 {
			q.wantLost("the second ack of one lease", err)
		} else if err != nil {
			q.Errorf("settlement %d: %v", i, err)
		}
	}
	if len(r.Leases) != 1 || r.Leases[0].Item.ID != "d" {
		q.Errorf("claimed %q, want d", ids(r.Leases))
	}
	q.wantDepth(queue.Depth{Delayed: 1, Leased: 1, Done: 1, Dead: 1})
}

func itemID(i int) string { return fmt.Sprintf("item-%05d", i) }

func errOutcome(o queue.Outcome) error { return fmt.Errorf("the outcome is %s", o) }
