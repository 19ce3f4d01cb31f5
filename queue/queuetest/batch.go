package queuetest

import (
	"slices"

	"sluice.dev/queue"
)

var batchSentences = []sentence{
	{"a batch counts its own items", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "x"}, queue.Item{ID: "c", Batch: "x", Delay: long},
			queue.Item{ID: "d", Batch: "x"}, queue.Item{ID: "e", Batch: "y"}, queue.Item{ID: "f"})
		l := w.claims("a", "b")
		w.acks(l[0])
		w.settles(queue.Settlement{Lease: l[1], Verb: queue.Bury, Failure: failure("broken")})
		w.claims("d")
		q.wantBatch("x", queue.Depth{Delayed: 1, Leased: 1, Done: 1, Dead: 1})
		q.wantBatch("y", queue.Depth{Ready: 1})
		q.wantDepth(queue.Depth{Delayed: 1, Ready: 2, Leased: 1, Done: 1, Dead: 1})
	}},
	{"a batch counts an expired lease without a claim", func(q *subject) {
		q.force(queue.Policy{Lease: short, BackoffLimit: new(0)})
		q.put(queue.Item{ID: "a", Batch: "x"})
		q.worker("w").claims("a")
		q.idle(2 * short)
		q.wantBatch("x", queue.Depth{Dead: 1})
	}},
	{"a batch is complete once it is sealed and all done", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "x"})
		w.acks(w.claims("a")[0])
		q.seal("x")
		q.wantEnd("x", false, false)
		l := w.claims("b")[0]
		q.wantEnd("x", false, false)
		w.acks(l)
		q.wantEnd("x", true, false)
	}},
	{"a batch that is not sealed has not ended", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "y"})
		l := w.claims("a", "b")
		w.acks(l[0])
		w.settles(queue.Settlement{Lease: l[1], Verb: queue.Bury, Failure: failure("broken")})
		q.wantEnd("x", false, false)
		q.wantEnd("y", false, false)
		q.seal("x")
		q.seal("y")
		q.wantEnd("x", true, false)
		q.wantEnd("y", false, true)
	}},
	{"a sealed batch has failed once nothing can run and something is dead", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "x"})
		q.seal("x")
		l := w.claims("a", "b")
		w.settles(queue.Settlement{Lease: l[0], Verb: queue.Bury, Failure: failure("broken")})
		q.wantEnd("x", false, false)
		w.acks(l[1])
		q.wantEnd("x", false, true)
	}},
	{"a batch without items is complete at the seal", func(q *subject) {
		q.seal("x")
		q.wantEnd("x", true, false)
		q.wantBatch("x", queue.Depth{})
	}},
	{"sealing twice is no error", func(q *subject) {
		q.put(queue.Item{ID: "a", Batch: "x"})
		q.seal("x")
		q.seal("x")
		if !q.batch("x").Sealed {
			q.Errorf("x is not sealed")
		}
	}},
	{"a sealed batch takes no new item and knows its own", func(q *subject) {
		q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "y"})
		q.seal("x")
		got := q.enqueue(queue.Item{ID: "new", Batch: "x"}, queue.Item{ID: "a", Batch: "x"},
			queue.Item{ID: "a", Batch: "x", Payload: []byte("two")}, queue.Item{ID: "c", Batch: "y"}, queue.Item{ID: "d"})
		want := []queue.Outcome{queue.BatchClosed, queue.Duplicate, queue.Conflict, queue.Added, queue.Added}
		if !slices.Equal(got, want) {
			q.Errorf("outcomes are %v, want %v", got, want)
		}
		q.wantBatch("x", queue.Depth{Ready: 1})
		q.put(queue.Item{ID: "new", Batch: "y"}) // a refused id is still unknown
	}},
	{"an item belongs to the batch that first added it", func(q *subject) {
		q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "y"})
		q.wantOutcome(queue.Item{ID: "a", Batch: "y"}, queue.Duplicate)
		q.wantBatch("x", queue.Depth{Ready: 1})
		q.wantBatch("y", queue.Depth{Ready: 1})
		if r := q.record("a"); r.Item.Batch != "x" {
			q.Errorf("a is of batch %q, want x", r.Item.Batch)
		}
	}},
	{"batches are listed oldest first", func(q *subject) {
		q.put(queue.Item{ID: "a", Batch: "z"})
		q.seal("m")
		for i := range 10 {
			q.put(queue.Item{ID: itemID(i), Batch: "b" + itemID(9-i)})
		}
		q.put(queue.Item{ID: "late", Batch: "z"})
		all, err := q.d.Batches(q.ctx)
		if err != nil {
			q.Fatalf("Batches: %v", err)
		}
		var got []string
		for _, b := range all {
			if b.Name != "" { // the queue's own, which a driver may list
				got = append(got, b.Name)
			}
		}
		want := []string{"z", "m"}
		for i := range 10 {
			want = append(want, "b"+itemID(9-i))
		}
		if !slices.Equal(got, want) {
			q.Errorf("batches are %q, want %q", got, want)
		}
	}},
}

func (q *subject) wantBatch(name string, want queue.Depth) {
	q.Helper()
	if got := counts(q.batch(name).Depth); got != want {
		q.Fatalf("batch %s has %+v, want %+v", name, got, want)
	}
}

func (q *subject) wantEnd(name string, complete, failed bool) {
	q.Helper()
	if b := q.batch(name); b.Complete() != complete || b.Failed() != failed {
		q.Fatalf("batch %s: complete %t, failed %t, want %t and %t: %+v", name, b.Complete(), b.Failed(), complete, failed, b)
	}
}
