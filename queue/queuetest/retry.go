package queuetest

import (
	"fmt"
	"reflect"
	"time"

	"sluice.dev/queue"
)

var retrySentences = []sentence{
	{"a nacked item waits for the retry delay", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a")
		l := w.claims("a")[0]
		since := q.clock.now()
		w.nacks(l)
		q.wantDepth(queue.Depth{Delayed: 1})
		q.wantDue("a", queue.DefaultPolicy().RetryDelay, since)
		w.claimsNothing()
	}},
	{"the retry delay doubles up to its limit", func(q *subject) {
		q.force(queue.Policy{RetryDelay: minute, RetryDelayMax: 3 * minute})
		for n, want := range []time.Duration{minute, 2 * minute, 3 * minute, 3 * minute} {
			id := itemID(n)
			l := q.retried(id, n)
			since := q.clock.now()
			q.worker("last").nacks(l)
			q.wantDue(id, want, since)
		}
	}},
	{"retries are spread by jitter", func(q *subject) {
		w := q.worker("w")
		q.force(queue.Policy{RetryDelay: long, RetryDelayMax: long * 24})
		var settle []queue.Settlement
		for i := range 20 {
			q.putIDs(itemID(i))
			settle = append(settle, queue.Settlement{Lease: w.claims(itemID(i))[0], Verb: queue.Nack, Failure: failure("no luck")})
		}
		w.send(queue.Exchange{Settle: settle})
		least, most := 24*long, time.Duration(0)
		for _, r := range q.items(queue.Query{States: []queue.State{queue.Delayed}}) {
			least, most = min(least, r.Due), max(most, r.Due)
		}
		if most-least < minute {
			q.Errorf("20 retries of %s came due within %s of each other", long, most-least)
		}
	}},
	{"a nack's own delay replaces the queue's", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a", "b")
		l := w.claims("a", "b")
		since := q.clock.now()
		w.settles(queue.Settlement{Lease: l[0], Verb: queue.Nack, Failure: failure("busy"), After: long})
		w.settles(queue.Settlement{Lease: l[1], Verb: queue.Nack, Failure: failure("busy"), After: shortest})
		q.after(short, queue.Depth{Delayed: 1, Ready: 1})
		q.wantDue("a", long, since)
		w.claims("b")
	}},
	{"a retried item comes back with a higher token and attempt", func(q *subject) {
		first := q.retried("a", 0)
		q.worker("w").settles(queue.Settlement{Lease: first, Verb: queue.Nack, Failure: failure("x"), After: shortest})
		q.after(short, queue.Depth{Ready: 1})
		second := q.worker("w2").claims("a")[0]
		if first.Attempt != 1 || second.Attempt != 2 || second.Token <= first.Token {
			q.Errorf("attempt %d with token %d, then %d with %d; want 1 and 2, growing", first.Attempt, first.Token, second.Attempt, second.Token)
		}
	}},
	{"past the backoff limit an item is dead, with its failures", func(q *subject) {
		q.force(queue.Policy{BackoffLimit: new(2)})
		l := q.retried("a", 2)
		q.worker("last").settles(queue.Settlement{Lease: l, Verb: queue.Nack, Failure: failure("the last"), After: shortest})
		q.wantDepth(queue.Depth{Dead: 1})
		r := q.record("a")
		want := []queue.Failure{failure("attempt 1"), failure("attempt 2"), failure("the last")}
		if r.State != queue.Dead || r.Attempts != 3 || !reflect.DeepEqual(r.Failures, want) {
			q.Errorf("%s after %d attempts with failures %v, want dead after 3 with %v", r.State, r.Attempts, r.Failures, want)
		}
		q.worker("last").claimsNothing()
	}},
	{"a backoff limit of 0 is one attempt", func(q *subject) {
		w := q.worker("w")
		q.force(queue.Policy{BackoffLimit: new(0)})
		q.putIDs("a")
		w.nacks(w.claims("a")[0])
		q.wantDepth(queue.Depth{Dead: 1})
	}},
	{"a buried item is dead at once and keeps its failure", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Payload: []byte("work"), Priority: 3, Batch: "b"})
		f := queue.Failure{Cause: queue.CauseExitCode, Message: "exit code 64", ExitCode: 64, Stderr: "usage: \"x\"\n\tμ\x00\x1b[0m\n"}
		w.settles(queue.Settlement{Lease: w.claims("a")[0], Verb: queue.Bury, Failure: f})
		q.wantDepth(queue.Depth{Dead: 1})
		r := q.record("a")
		if r.State != queue.Dead || r.Attempts != 1 || len(r.Failures) != 1 || r.Failures[0] != f {
			q.Errorf("%s after %d attempts with failures %+v, want dead after 1 with %+v", r.State, r.Attempts, r.Failures, f)
		}
		if it := r.Item; string(it.Payload) != "work" || it.Priority != 3 || it.Batch != "b" {
			q.Errorf("the dead item is %+v, want all that it was", it)
		}
	}},
	{"a record keeps the first failure and the newest", func(q *subject) {
		q.force(queue.Policy{BackoffLimit: new(20)})
		q.retried("a", 11)
		r := q.record("a")
		want := []queue.Failure{failure("attempt 1")}
		for n := 11 - (queue.MaxFailures - 2); n <= 11; n++ {
			want = append(want, failure(fmt.Sprintf("attempt %d", n)))
		}
		if r.Attempts != 11 || !reflect.DeepEqual(r.Failures, want) {
			q.Errorf("after %d attempts the failures are %v, want %v", r.Attempts, r.Failures, want)
		}
	}},
}

// retried puts an item and gives a lease of it after n nacks, each with a
// delay of next to nothing.
func (q *subject) retried(id string, n int) queue.Lease {
	q.Helper()
	w := q.worker("retry-" + id)
	q.putIDs(id)
	ready := counts(q.depth())
	for i := range n {
		w.settles(queue.Settlement{
			Lease: w.claims(id)[0], Verb: queue.Nack, After: shortest,
			Failure: failure(fmt.Sprintf("attempt %d", i+1)),
		})
		q.after(10*time.Millisecond, ready)
	}
	return w.claims(id)[0]
}
