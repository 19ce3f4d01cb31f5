package queuetest

import (
	"slices"

	"sluice.dev/queue"
)

var expirySentences = []sentence{
	{"no lease ends sooner by a renewal, though the policy's is shorter now", func(q *subject) {
		w := q.worker("w")
		q.force(queue.Policy{Lease: minute, RetryDelay: minute})
		q.putIDs("a")
		l := w.claims("a")[0]
		q.force(queue.Policy{Lease: short})
		if err := w.extend(l); err != nil {
			q.Fatal(err)
		}
		q.idle(2 * short)
		q.wantDepth(queue.Depth{Leased: 1})
		if due := q.depth().NextDue; due < minute/2 {
			q.Errorf("the lease ends in %s, want nearly %s", due, minute)
		}
		w.acks(l)
	}},
	{"an expired item comes back with a higher token and attempt", func(q *subject) {
		w := q.worker("w")
		old := q.expired(w, "a")
		l := w.claims("a")[0]
		if l.Token <= old.Token || l.Attempt != 2 {
			q.Errorf("after token %d the second lease has token %d and attempt %d, want attempt 2", old.Token, l.Token, l.Attempt)
		}
	}},
	{"an expiry counts an attempt and delays like a nack", func(q *subject) {
		w := q.worker("w")
		q.force(queue.Policy{Lease: short, RetryDelay: minute})
		q.putIDs("a")
		since := q.clock.now()
		w.claims("a")
		q.after(2*short, queue.Depth{Delayed: 1})
		r := q.record("a")
		if r.Attempts != 1 || len(r.Failures) != 1 || r.Failures[0].Cause != queue.CauseLeaseExpired {
			q.Errorf("after an expiry there are %d attempts with failures %v, want one, LeaseExpired", r.Attempts, r.Failures)
		}
		q.wantDue("a", minute, since)
		w.claimsNothing()
	}},
	{"an expiry needs nobody to look", func(q *subject) {
		w := q.worker("w")
		q.force(queue.Policy{Lease: short, RetryDelay: short})
		q.putIDs("a")
		w.claims("a")
		q.idle(3 * short)
		w.claims("a")
	}},
	{"an item whose last attempt expires is dead", func(q *subject) {
		w := q.worker("w")
		q.force(queue.Policy{Lease: short, BackoffLimit: new(0)})
		q.putIDs("a")
		w.claims("a")
		q.after(2*short, queue.Depth{Dead: 1})
		w.claimsNothing()
		if r := q.record("a"); r.State != queue.Dead || len(r.Failures) != 1 || r.Failures[0].Cause != queue.CauseLeaseExpired {
			q.Errorf("the record is %+v, want it dead by LeaseExpired", r)
		}
	}},
	{"what expired comes before what was never tried", func(q *subject) {
		w := q.worker("w")
		q.force(queue.Policy{Lease: short, RetryDelay: shortest})
		q.putIDs("a", "b", "c")
		w.claims("a", "b")
		q.after(2*short, queue.Depth{Ready: 3})
		if got := ids(w.claim(2)); len(got) != 2 || slices.Contains(got, "c") {
			q.Errorf("claimed %q, want what expired: a and b", got)
		}
	}},
	{"an extended lease outlives its first deadline", func(q *subject) {
		w := q.worker("w")
		q.force(queue.Policy{Lease: 5 * short})
		q.putIDs("a", "b")
		l := w.claims("a", "b")
		q.force(queue.Policy{Lease: long})
		if err := w.extend(l[0]); err != nil {
			q.Fatalf("extend: %v", err)
		}
		q.after(6*short, queue.Depth{Leased: 1, Delayed: 1})
		if r := q.record("a"); r.State != queue.Leased || r.Token != l[0].Token {
			q.Errorf("the extended item is %s with token %d, want it leased with %d", r.State, r.Token, l[0].Token)
		}
		w.acks(l[0])
	}},
	{"a dead worker's leases end at once, as attempts, and no one else's", expireWorker},
	{"a dead worker's last attempts are dead", func(q *subject) {
		q.force(queue.Policy{BackoffLimit: new(0)})
		q.putIDs("a")
		q.worker("w").claims("a")
		q.expire("w", 1)
		q.wantDepth(queue.Depth{Dead: 1})
	}},
	{"what interrupted a dead worker counts no attempt", func(q *subject) {
		q.force(queue.Policy{DisruptionLimit: new(1)})
		q.putIDs("a", "b")
		w := q.worker("w")
		first := w.claims("a")[0]
		if n, err := q.d.Expire(q.ctx, "w", interrupted); err != nil || n != 1 {
			q.Fatalf("Expire = %d, %v; want 1", n, err)
		}
		if r := q.record("a"); r.State != queue.Ready || r.Attempts != 0 || r.Releases != 1 {
			q.Errorf("%s after %d attempts and %d releases, want ready after 0 and 1", r.State, r.Attempts, r.Releases)
		}
		q.wantLost("a settle of an interrupted lease", w.settle(queue.Settlement{Lease: first, Verb: queue.Ack}))
		again := q.worker("x").claims("a")[0]
		if again.Token <= first.Token || again.Attempt != 1 {
			q.Errorf("attempt %d with token %d after %d, want attempt 1 and a higher token", again.Attempt, again.Token, first.Token)
		}
		if n, err := q.d.Expire(q.ctx, "x", interrupted); err != nil || n != 1 {
			q.Fatalf("Expire = %d, %v; want 1", n, err)
		}
		r := q.record("a")
		if n := len(r.Failures); r.State != queue.Dead || n == 0 || r.Failures[n-1].Cause != queue.CauseTooManyDisruptions {
			q.Errorf("%s with failures %v after two disruptions of one allowed, want dead as TooManyDisruptions", r.State, r.Failures)
		}
	}},
	{"a dead worker is given nothing that it asked for before its death", func(q *subject) {
		q.putIDs("a", "b")
		w := q.worker("w")
		w.claims("a")
		q.expire("w", 1)
		q.expire("silent", 0) // its first claim is under way
		for _, late := range []*worker{w, w, q.worker("silent")} {
			if r := late.send(queue.Exchange{Claim: 2}); len(r.Leases) != 0 || !r.Gone {
				q.Errorf("after its death worker %s claims %q, gone %t", late.id, ids(r.Leases), r.Gone)
			}
		}
		q.worker("x").claims("b")
		if ws := q.listWorkers(); len(ws) != 1 || ws[0].ID != "x" {
			q.Errorf("the workers are %+v, want x alone", ws)
		}
	}},
	{"an interrupted worker has left, and is given nothing more", func(q *subject) {
		q.putIDs("a")
		w := q.worker("w")
		w.acks(w.claims("a")[0])
		q.putIDs("b")
		for range 2 { // its own word, and that of who saw it end
			if n, err := q.d.Expire(q.ctx, "w", interrupted); err != nil || n != 0 {
				q.Fatalf("Expire = %d, %v; want 0", n, err)
			}
			if ws := q.listWorkers(); len(ws) != 1 || ws[0].ID != "w" || ws[0].Leases != 0 || !ws[0].Gone {
				q.Errorf("the workers are %+v, want w, gone", ws)
			}
		}
		if r := w.send(queue.Exchange{Claim: 1}); len(r.Leases) != 0 || !r.Gone {
			q.Errorf("after its end it claims %q, gone %t", ids(r.Leases), r.Gone)
		}
		q.worker("x").claims("b")
		q.expire("w", 0)
		if _, err := q.d.Expire(q.ctx, "w", interrupted); err != nil {
			q.Fatal(err)
		}
		if ws := q.listWorkers(); len(ws) != 1 || ws[0].ID != "x" {
			q.Errorf("the workers are %+v, want x alone: w is dead", ws)
		}
	}},
	{"a worker without leases has none to end", func(q *subject) {
		q.putIDs("a", "b")
		w := q.worker("w")
		w.acks(w.claims("a")[0])
		q.worker("other").claims("b")
		q.expire("w", 0)
		q.expire("unknown", 0)
		q.wantDepth(queue.Depth{Leased: 1, Done: 1})
	}},
}

var reaped = queue.Failure{Cause: queue.CauseKilled, Message: "reaped", ExitCode: 137, Stderr: "Killed\n"}

// expire ends the leases of a worker, which are to be n.
func (q *subject) expire(worker string, n int) {
	q.Helper()
	got, err := q.d.Expire(q.ctx, worker, reaped)
	if err != nil || got != n {
		q.Fatalf("Expire(%q) = %d, %v; want %d", worker, got, err, n)
	}
}

func expireWorker(q *subject) {
	dead, other := q.worker("w1"), q.worker("w12")
	q.putIDs("a", "b", "c", "d")
	dead.claims("a")
	theirs := other.claims("b")[0]
	if err := dead.extend(dead.claims("c")[0]); err != nil {
		q.Fatalf("extend: %v", err)
	}
	since := q.clock.now()
	q.expire("w1", 2)
	q.wantDepth(queue.Depth{Delayed: 2, Ready: 1, Leased: 1})
	for _, id := range []string{"a", "c"} {
		q.wantDue(id, queue.DefaultPolicy().RetryDelay, since)
		r := q.record(id)
		if r.Attempts != 1 || len(r.Failures) != 1 || r.Failures[0] != reaped {
			q.Errorf("%s has %d attempts with failures %v, want one: %v", id, r.Attempts, r.Failures, reaped)
		}
	}
	q.expire("w1", 0)
	other.acks(theirs)
	q.wantDepth(queue.Depth{Delayed: 2, Ready: 1, Done: 1})
}
