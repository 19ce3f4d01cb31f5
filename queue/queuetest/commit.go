package queuetest

import "sluice.dev/queue"

var commitSentences = []sentence{
	{"a committed record is in the next holder's lease after an expiry", func(q *subject) {
		w := q.worker("w")
		q.force(queue.Policy{Lease: short, RetryDelay: shortest})
		q.putIDs("a")
		w.commits(w.claims("a")[0], "record")
		q.force(queue.Policy{Lease: minute})
		q.after(2*short, queue.Depth{Ready: 1})
		q.wantCommitted("heir", "a", "record")
	}},
	{"a committed record is in the next holder's lease after a nack and a release", func(q *subject) {
		w := q.worker("w")
		q.putIDs("nacked")
		l := w.claims("nacked")[0]
		w.commits(l, "one")
		w.settles(queue.Settlement{Lease: l, Verb: queue.Nack, Failure: failure("no luck"), After: shortest})
		q.after(short, queue.Depth{Ready: 1})
		l = q.wantCommitted("w2", "nacked", "one")
		q.worker("w3").releases(l)
		q.wantCommitted("w4", "nacked", "one")
	}},
	{"a committed record survives bury and a retry by a person", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a")
		l := w.claims("a")[0]
		w.commits(l, "record")
		w.settles(queue.Settlement{Lease: l, Verb: queue.Bury, Failure: failure("cannot be published")})
		q.changes(queue.RetryItem, "a")
		q.wantCommitted("heir", "a", "record")
	}},
	{"the same token may commit the same record twice", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a")
		l := w.claims("a")[0]
		w.commits(l, "record")
		w.commits(l, "record")
		w.releases(l)
		q.wantCommitted("heir", "a", "record")
	}},
	{"a later holder acks a committed item", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a")
		l := w.claims("a")[0]
		w.commits(l, "record")
		w.releases(l)
		heir := q.wantCommitted("heir", "a", "record")
		q.wantLost("the first holder's ack", w.settle(queue.Settlement{Lease: l, Verb: queue.Ack}))
		w.acks(heir)
		q.wantDepth(queue.Depth{Done: 1})
	}},
	{"a commit ends no lease and concerns no other item", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a", "b")
		l := w.claims("a", "b")
		w.commits(l[0], "record")
		q.wantDepth(queue.Depth{Leased: 2})
		w.releases(l[1])
		if c := w.claims("b")[0].Committed; c != nil {
			q.Errorf("b carries %q, which was committed for a", c)
		}
		w.acks(l[0])
	}},
}

// wantCommitted claims one item and wants to find what was committed for it.
func (q *subject) wantCommitted(worker, id, record string) queue.Lease {
	q.Helper()
	l := q.worker(worker).claims(id)[0]
	if string(l.Committed) != record {
		q.Fatalf("the lease of %q carries %q, want the committed %q", id, l.Committed, record)
	}
	return l
}
