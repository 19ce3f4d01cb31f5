package queuetest

import (
	"fmt"
	"time"

	"sluice.dev/queue"
)

var leaveSentences = []sentence{
	{"a worker may leave an empty queue and claims nothing after", func(q *subject) {
		w := q.worker("w")
		q.wantLeave("w", minute, true)
		q.putIDs("a")
		for range 2 {
			r := w.send(queue.Exchange{Claim: 1})
			if len(r.Leases) != 0 || !r.Gone {
				q.Errorf("after it left a worker claims %q, gone %t", ids(r.Leases), r.Gone)
			}
		}
		q.worker("w2").claims("a")
	}},
	{"a worker that was at work may leave", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a")
		l := w.claims("a")[0]
		w.acks(l)
		q.wantLeave("w", minute, true)
		q.putIDs("b")
		if r := w.send(queue.Exchange{Claim: 1}); len(r.Leases) != 0 || !r.Gone {
			q.Errorf("after it left a worker claims %q, gone %t", ids(r.Leases), r.Gone)
		}
	}},
	{"a worker may not leave while something is claimable", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a")
		q.wantLeave("w", 0, false)
		if r := w.send(queue.Exchange{Claim: 1}); len(r.Leases) != 1 || r.Gone {
			q.Errorf("a worker that may not leave claims %q, gone %t", ids(r.Leases), r.Gone)
		}
	}},
	{"a worker that is let go still gets the reply that was lost", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a")
		l := w.claims("a")[0]
		q.putIDs("b")
		x := w.number(queue.Exchange{Settle: []queue.Settlement{{Lease: l, Verb: queue.Ack}}, Claim: 1})
		q.exchange(q.d, x) // its reply is lost
		q.wantLeave("w", minute, true)
		r := q.exchange(q.d, x)
		if err := r.Settled[0]; err != nil {
			q.Errorf("the ack whose reply was lost, again: %v", err)
		}
		r = w.send(queue.Exchange{Settle: []queue.Settlement{{Lease: q.only(r), Verb: queue.Ack}}, Claim: 1})
		if r.Settled[0] != nil || !r.Gone {
			q.Errorf("what it claimed before it left is settled with %v, gone %t", r.Settled[0], r.Gone)
		}
		q.wantDepth(queue.Depth{Done: 2})
	}},
	{"a worker may not leave before what comes due within its idle time", func(q *subject) {
		q.put(queue.Item{ID: "a", Delay: minute})
		q.wantLeave("w", 2*minute, false)
		q.wantLeave("w", minute/2, true)
	}},
	{"a worker may leave when what it would wait for comes no more", func(q *subject) {
		w := q.worker("other")
		for i, end := range []func(id string){
			func(id string) { q.changes(queue.CancelItem, id) },
			func(id string) { q.changes(queue.DeleteItem, id) },
			func(id string) { q.change("batch "+id, queue.CancelBatch) },
			func(id string) { q.change("batch "+id, queue.DeleteBatch) },
		} {
			id := itemID(i)
			q.put(queue.Item{ID: id, Batch: "batch " + id, Delay: minute})
			q.wantLeave(fmt.Sprint("refused ", i), 2*minute, false)
			end(id)
			q.wantLeave(fmt.Sprint("granted ", i), 2*minute, true)
			if due := q.depth().NextDue; due >= 0 {
				q.Errorf("after end %d NextDue is %s, want it negative", i, due)
			}
		}
		// A lease whose deadline has passed is delayed, until its holder comes back.
		q.force(queue.Policy{Lease: short, RetryDelay: minute})
		q.putIDs("late")
		l := w.claims("late")[0]
		q.after(2*short, queue.Depth{Delayed: 1, Cancelled: 2})
		q.wantLeave("refused", 2*minute, false)
		q.force(queue.Policy{Lease: long})
		if err := w.extend(l); err != nil {
			q.Fatal(err)
		}
		q.wantLeave("granted", 2*minute, true)
	}},
	{"a worker may leave while others work", func(q *subject) {
		q.force(queue.Policy{Lease: long})
		q.putIDs("a")
		q.worker("other").claims("a")
		q.wantLeave("w", minute, true)
	}},
	{"a worker may not leave what expired and is ready again", func(q *subject) {
		q.expired(q.worker("other"), "a")
		q.wantLeave("w", 0, false)
		q.worker("w").claims("a")
	}},
}

func (q *subject) wantLeave(worker string, idle time.Duration, want bool) {
	q.Helper()
	got, err := q.d.Leave(q.ctx, worker, idle)
	if err != nil || got != want {
		q.Fatalf("Leave(%q, %s) = %t, %v; want %t", worker, idle, got, err, want)
	}
}
