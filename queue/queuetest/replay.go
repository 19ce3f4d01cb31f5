package queuetest

import (
	"bytes"
	"errors"
	"reflect"

	"sluice.dev/queue"
)

var replaySentences = []sentence{
	{"a claim whose reply was lost costs no attempt", lostClaim},
	{"a settle that is sent twice succeeds twice and happens once", lostSettle},
	{"a refusal that is sent twice stays a refusal", func(q *subject) {
		z := q.zombie()
		x := z.number(queue.Exchange{Settle: []queue.Settlement{{Lease: z.stale, Verb: queue.Ack}}})
		q.wantLost("the stale ack", q.exchange(q.d, x).Settled[0])
		z.heir.releases(z.current)
		q.wantLost("the stale ack, again", q.exchange(q.d, x).Settled[0])
		q.wantDepth(queue.Depth{Ready: 1})
	}},
	{"an empty claim that is sent twice stays empty", func(q *subject) {
		w := q.worker("w")
		x := w.number(queue.Exchange{Claim: 1})
		if got := q.exchange(q.d, x).Leases; len(got) != 0 {
			q.Fatalf("an empty queue gave %q", ids(got))
		}
		q.putIDs("a")
		if got := q.exchange(q.d, x).Leases; len(got) != 0 {
			q.Errorf("the same number claimed nothing first and then %q", ids(got))
		}
		q.wantDepth(queue.Depth{Ready: 1})
	}},
	{"an exchange older than the last is refused and changes nothing", func(q *subject) {
		q.putIDs("a", "b", "c")
		l := q.only(q.exchange(q.d, queue.Exchange{Worker: "w", Seq: 7, Claim: 1}))
		q.exchange(q.d, queue.Exchange{Worker: "w", Seq: 9, Claim: 1})
		for _, seq := range []uint64{8, 7, 1} {
			_, err := q.d.Exchange(q.ctx, queue.Exchange{
				Worker: "w", Seq: seq, Claim: 1, Settle: []queue.Settlement{{Lease: l, Verb: queue.Ack}},
			})
			if !errors.Is(err, queue.ErrStale) {
				q.Errorf("exchange %d after 9: %v, want %v", seq, err, queue.ErrStale)
			}
		}
		q.wantDepth(queue.Depth{Ready: 1, Leased: 2})
	}},
	{"each worker has numbers of its own", func(q *subject) {
		q.putIDs("a", "b")
		for i, id := range []string{"w", "w2"} {
			l := q.exchange(q.d, queue.Exchange{Worker: id, Seq: uint64(5 - i), Claim: 1}).Leases
			if len(l) != 1 || l[0].Item.ID != []string{"a", "b"}[i] {
				q.Errorf("worker %s claimed %q", id, ids(l))
			}
		}
	}},
	{"arguments are not retained and results are the caller's", func(q *subject) {
		w := q.worker("w")
		payload, record, result := []byte("payload"), []byte("record"), []byte("result")
		q.put(queue.Item{ID: "a", Payload: payload})
		clear(payload)
		x := w.number(queue.Exchange{Claim: 1})
		for range 2 {
			l := q.only(q.exchange(q.d, x))
			if !bytes.Equal(l.Item.Payload, []byte("payload")) {
				q.Fatalf("the payload became %q", l.Item.Payload)
			}
			clear(l.Item.Payload)
		}
		l := q.only(q.exchange(q.d, x))
		if err := q.d.Commit(q.ctx, l, record); err != nil {
			q.Fatalf("Commit: %v", err)
		}
		clear(record)
		w.releases(l)
		l = w.claims("a")[0]
		if !bytes.Equal(l.Committed, []byte("record")) {
			q.Errorf("the record became %q", l.Committed)
		}
		w.settles(queue.Settlement{Lease: l, Verb: queue.Ack, Result: result})
		clear(result)
		clear(q.record("a").Result)
		if r := q.record("a"); !bytes.Equal(r.Result, []byte("result")) {
			q.Errorf("the result became %q", r.Result)
		}
	}},
}

func lostClaim(q *subject) {
	w := q.worker("w")
	q.put(queue.Item{ID: "a", Payload: []byte("one")}, queue.Item{ID: "b", Priority: 3}, queue.Item{ID: "c", Priority: 1})
	x := w.number(queue.Exchange{Claim: 2})
	first := q.exchange(q.d, x).Leases
	if len(first) != 2 {
		q.Fatalf("a claim of 2 gave %q", ids(first))
	}
	// Whoever lost a reply may well have lost the connection with it.
	for _, d := range []queue.Driver{q.d, q.another()} {
		again := q.exchange(d, x).Leases
		for i := range min(len(again), len(first)) {
			again[i].TTL = first[i].TTL // what remains may be told anew
		}
		if !reflect.DeepEqual(again, first) {
			q.Fatalf("the same number gave %+v, then %+v", first, again)
		}
	}
	q.wantDepth(queue.Depth{Ready: 1, Leased: 2})
	for _, l := range first {
		if l.Attempt != 1 {
			q.Errorf("a lost reply made it attempt %d of %q", l.Attempt, l.Item.ID)
		}
		w.acks(l)
	}
}

func lostSettle(q *subject) {
	w := q.worker("w")
	q.force(queue.Policy{BackoffLimit: new(1)})
	q.putIDs("acked", "nacked", "released", "buried", "next")
	l := w.claims("acked", "nacked", "released", "buried")
	x := w.number(queue.Exchange{
		Settle: []queue.Settlement{
			{Lease: l[0], Verb: queue.Ack, Result: []byte("result")},
			{Lease: l[1], Verb: queue.Nack, Failure: failure("no luck"), After: long},
			{Lease: l[2], Verb: queue.Release, Failure: interrupted, After: long},
			{Lease: l[3], Verb: queue.Bury, Failure: failure("broken")},
		},
		Claim: 1,
	})
	for range 3 {
		r := q.exchange(q.d, x)
		for i, err := range r.Settled {
			if err != nil {
				q.Errorf("%s of %q: %v", x.Settle[i].Verb, l[i].Item.ID, err)
			}
		}
		if len(r.Leases) != 1 || r.Leases[0].Item.ID != "next" {
			q.Errorf("claimed %q, want next", ids(r.Leases))
		}
		q.wantDepth(queue.Depth{Delayed: 2, Leased: 1, Done: 1, Dead: 1})
	}
	for id, want := range map[string][2]int{"nacked": {1, 0}, "released": {0, 1}, "buried": {1, 0}} {
		if r := q.record(id); r.Attempts != want[0] || r.Releases != want[1] {
			q.Errorf("%s: %d attempts and %d releases, want %v", id, r.Attempts, r.Releases, want)
		}
	}
}
