package queuetest

import (
	"time"

	"sluice.dev/queue"
)

var releaseSentences = []sentence{
	{"a released item comes back at once and first, and counts no attempt", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a", "b", "c")
		l := w.claims("a", "b")
		w.releases(l[0])
		q.wantDepth(queue.Depth{Ready: 2, Leased: 1})
		again := w.claims("a", "c")[0]
		if again.Attempt != 1 || again.Token <= l[0].Token {
			q.Errorf("after a release: attempt %d, token %d after %d; want attempt 1 and a higher token", again.Attempt, again.Token, l[0].Token)
		}
		if r := q.record("a"); r.Attempts != 0 || r.Releases != 1 {
			q.Errorf("%d attempts and %d releases, want 0 and 1", r.Attempts, r.Releases)
		}
	}},
	{"what was never started comes back at once each time, and nothing is counted", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a", "b")
		for range 3 {
			l := w.claims("a")[0]
			w.settles(queue.Settlement{Lease: l, Verb: queue.Release, Failure: interrupted, Unstarted: true})
			q.wantDepth(queue.Depth{Ready: 2})
		}
		if r := q.record("a"); r.Attempts != 0 || r.Releases != 0 {
			q.Errorf("%d attempts and %d releases, want none", r.Attempts, r.Releases)
		}
	}},
	{"a lease tells whether an earlier one was begun", func(q *subject) {
		w := q.worker("w")
		for id, end := range map[string]func(l queue.Lease){
			"failed":      func(l queue.Lease) { w.nacks(l) },
			"released":    func(l queue.Lease) { w.releases(l) },
			"interrupted": func(queue.Lease) { _, _ = q.d.Expire(q.ctx, "other", interrupted) },
			"retried": func(l queue.Lease) {
				w.settles(queue.Settlement{Lease: l, Verb: queue.Bury, Failure: failure("broken")})
				q.changes(queue.RetryItem, l.Item.ID)
			},
		} {
			q.force(queue.Policy{RetryDelay: shortest, RetryDelayMax: shortest})
			q.putIDs(id)
			holder := w
			if id == "interrupted" {
				holder = q.worker("other")
			}
			l := holder.claims(id)[0]
			if l.Again {
				q.Errorf("the first lease of %s says that there was one before", id)
			}
			end(l)
			q.after(short, queue.Depth{Ready: 1})
			if l = w.claims(id)[0]; !l.Again {
				q.Errorf("the second lease of %s does not say that there was one before", id)
			}
			w.acks(l)
			q.changes(queue.DeleteItem, id)
		}
	}},
	{"what was released comes first within its priority only", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "older"}, queue.Item{ID: "b", Batch: "younger"})
		l := w.claims("a", "b")
		q.put(queue.Item{ID: "a2", Batch: "older"}, queue.Item{ID: "urgent", Priority: 9})
		w.releases(l[1])
		w.claims("urgent", "b", "a2")
	}},
	{"from the second release on an item waits, twice as long each time", func(q *subject) {
		for n, want := range []time.Duration{1: 10 * time.Second, 2: 20 * time.Second} {
			if n == 0 {
				continue // comes back at once
			}
			id := itemID(n)
			l := q.disrupted(id, n)
			since := q.clock.now()
			q.worker("last").releases(l)
			q.wantDue(id, want, since)
		}
	}},
	{"a release that asks for backoff waits from the first time", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a")
		l := w.claims("a")[0]
		since := q.clock.now()
		w.settles(queue.Settlement{Lease: l, Verb: queue.Release, Failure: interrupted, Backoff: true})
		q.wantDue("a", queue.DefaultPolicy().RetryDelay, since)
	}},
	{"a release's own delay replaces the queue's", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a")
		l := w.claims("a")[0]
		since := q.clock.now()
		w.settles(queue.Settlement{Lease: l, Verb: queue.Release, Failure: interrupted, After: long})
		q.wantDue("a", long, since)
	}},
	{"past the disruption limit an item is dead as TooManyDisruptions", func(q *subject) {
		q.force(queue.Policy{DisruptionLimit: new(2)})
		l := q.disrupted("a", 2)
		q.wantDepth(queue.Depth{Leased: 1})
		q.worker("last").settles(queue.Settlement{Lease: l, Verb: queue.Release, Failure: interrupted, After: shortest})
		q.wantDepth(queue.Depth{Dead: 1})
		r := q.record("a")
		if n := len(r.Failures); r.State != queue.Dead || r.Releases != 3 || n == 0 || r.Failures[n-1].Cause != queue.CauseTooManyDisruptions {
			q.Errorf("%s after %d releases with failures %v, want dead after 3 as TooManyDisruptions", r.State, r.Releases, r.Failures)
		}
	}},
	{"releases count beside attempts", func(q *subject) {
		q.force(queue.Policy{BackoffLimit: new(1)})
		l := q.disrupted("a", 4)
		w := q.worker("w")
		w.settles(queue.Settlement{Lease: l, Verb: queue.Nack, Failure: failure("no luck"), After: long})
		if r := q.record("a"); r.State != queue.Delayed || r.Attempts != 1 || r.Releases != 4 {
			q.Errorf("%s after %d attempts and %d releases, want delayed after 1 and 4", r.State, r.Attempts, r.Releases)
		}
	}},
}

// disrupted puts an item and gives a lease of it after n releases.
func (q *subject) disrupted(id string, n int) queue.Lease {
	q.Helper()
	w := q.worker("disrupted-" + id)
	q.putIDs(id)
	ready := counts(q.depth())
	for range n {
		w.settles(queue.Settlement{Lease: w.claims(id)[0], Verb: queue.Release, Failure: interrupted, After: shortest})
		q.after(10*time.Millisecond, ready)
	}
	return w.claims(id)[0]
}
