package queuetest

import (
	"slices"

	"sluice.dev/queue"
)

var itemsSentences = []sentence{
	{"a listing is of all that is not done, ordered by state", func(q *subject) {
		q.oneEach()
		q.wantListed(queue.Query{}, "delayed", "ready", "ready too", "leased", "dead")
	}},
	{"a listing picks states", func(q *subject) {
		q.oneEach()
		q.wantListed(queue.Query{States: []queue.State{queue.Done}}, "done")
		q.wantListed(queue.Query{States: []queue.State{queue.Dead, queue.Delayed}}, "delayed", "dead")
		q.wantListed(queue.Query{States: []queue.State{queue.Cancelled}})
		q.wantListed(queue.Query{States: queue.States}, "delayed", "ready", "ready too", "leased", "done", "dead")
	}},
	{"a listing picks an id, whatever its state", func(q *subject) {
		q.oneEach()
		for _, id := range []string{"delayed", "ready", "leased", "done", "dead"} {
			if r := q.record(id); string(r.State) != id {
				q.Errorf("%s is listed as %s", id, r.State)
			}
		}
		q.wantListed(queue.Query{ID: "unknown"})
	}},
	{"a listing picks a batch", func(q *subject) {
		q.oneEach()
		q.put(queue.Item{ID: "x1", Batch: "x"}, queue.Item{ID: "x2", Batch: "x", Delay: long})
		q.wantListed(queue.Query{Batch: "x"}, "x2", "x1")
		q.wantListed(queue.Query{Batch: "x", States: []queue.State{queue.Ready}}, "x1")
		q.wantListed(queue.Query{Batch: "unknown"})
	}},
	{"a listing has at most its limit of records", func(q *subject) {
		q.oneEach()
		q.wantListed(queue.Query{Limit: 2}, "delayed", "ready")
		q.wantListed(queue.Query{Limit: 1, States: []queue.State{queue.Ready}}, "ready")
		q.wantListed(queue.Query{Limit: 100, States: []queue.State{queue.Ready}}, "ready", "ready too")
	}},
	{"a done record has its result", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b"})
		l := w.claims("a", "b")
		w.settles(queue.Settlement{Lease: l[0], Verb: queue.Ack, Result: []byte("42")})
		w.acks(l[1])
		if r := q.record("a"); r.State != queue.Done || string(r.Result) != "42" || r.Item.Batch != "x" || r.Attempts != 1 {
			q.Errorf("the record is %+v, want it done after 1 attempt, of batch x, with result 42", r)
		}
		if r := q.record("b"); len(r.Result) != 0 {
			q.Errorf("the result of b is %q, want none", r.Result)
		}
	}},
	{"a leased record names its holder", func(q *subject) {
		q.put(queue.Item{ID: "a", Payload: []byte("work"), Priority: 8})
		l := q.worker("w").claims("a")[0]
		r := q.record("a")
		if r.State != queue.Leased || r.Worker != "w" || r.Token != l.Token || r.Attempts != 0 {
			q.Errorf("the record is %+v, want it leased by w with token %d and no attempt ended", r, l.Token)
		}
		if string(r.Item.Payload) != "work" || r.Item.Priority != 8 {
			q.Errorf("the leased item is %+v, want all that it was", r.Item)
		}
	}},
}

// oneEach leaves an item in each state that a driver alone can bring about,
// and a second one that is ready.
func (q *subject) oneEach() {
	q.Helper()
	w := q.worker("w")
	q.putIDs("done", "dead", "leased", "ready", "ready too")
	q.put(queue.Item{ID: "delayed", Delay: long})
	l := w.claims("done", "dead", "leased")
	w.acks(l[0])
	w.settles(queue.Settlement{Lease: l[1], Verb: queue.Bury, Failure: failure("broken")})
}

func (q *subject) wantListed(query queue.Query, want ...string) {
	q.Helper()
	var got []string
	for _, r := range q.items(query) {
		got = append(got, r.Item.ID)
	}
	if !slices.Equal(got, want) {
		q.Fatalf("Items(%+v) lists %q, want %q", query, got, want)
	}
}
