package queuetest

import (
	"time"

	"sluice.dev/queue"
)

var depthSentences = []sentence{
	{"depth follows an item through its states", func(q *subject) {
		w := q.worker("w")
		q.wantDepth(queue.Depth{})
		q.put(queue.Item{ID: "a"}, queue.Item{ID: "b", Delay: long})
		q.wantDepth(queue.Depth{Delayed: 1, Ready: 1})
		w.releases(w.claims("a")[0])
		q.wantDepth(queue.Depth{Delayed: 1, Ready: 1})
		l := w.claims("a")[0]
		q.wantDepth(queue.Depth{Delayed: 1, Leased: 1})
		w.nacks(l)
		q.wantDepth(queue.Depth{Delayed: 2})
	}},
	{"NextDue is the time until the first delay or lease ends", func(q *subject) {
		w := q.worker("w")
		wantDue := func(want time.Duration) {
			q.Helper()
			if got := q.depth().NextDue; got > want || got < want-patience {
				q.Errorf("NextDue is %s, want %s", got, want)
			}
		}
		if got := q.depth().NextDue; got >= 0 {
			q.Errorf("NextDue of an empty queue is %s, want it negative", got)
		}
		q.force(queue.Policy{Lease: long})
		q.putIDs("a")
		l := w.claims("a")[0]
		wantDue(long)
		q.put(queue.Item{ID: "b", Delay: minute})
		wantDue(minute)
		q.put(queue.Item{ID: "c", Delay: 2 * long})
		wantDue(minute)
		w.acks(l)
		wantDue(minute)
	}},
	{"depth adds up at every stop of a random walk", func(q *subject) { walk(q, 500) }},
}
