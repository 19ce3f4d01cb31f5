package queuetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice.dev/queue"
)

var steerSentences = []sentence{
	{"a suspended batch is held, others are not, and its leases go on", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "x"}, queue.Item{ID: "c", Batch: "x"}, queue.Item{ID: "d", Batch: "y"})
		l := w.claims("a", "b")
		q.change("x", queue.SuspendBatch)
		q.change("x", queue.SuspendBatch)
		q.wantDepth(queue.Depth{Ready: 2, Held: 1, Leased: 2})
		w.acks(l[0])
		w.releases(l[1])
		q.put(queue.Item{ID: "e", Batch: "x"}, queue.Item{ID: "f", Batch: "x", Delay: long})
		q.wantBatch("x", queue.Depth{Delayed: 1, Ready: 3, Held: 3, Done: 1})
		q.wantDepth(queue.Depth{Delayed: 1, Ready: 4, Held: 3, Done: 1})
		if s := q.batch("x").State(); s != "Suspended" {
			q.Errorf("a suspended batch is shown as %s", s)
		}
		w.claims("d")
		w.claimsNothing()
		q.change("x", queue.ResumeBatch)
		q.change("x", queue.ResumeBatch)
		q.wantBatch("x", queue.Depth{Delayed: 1, Ready: 3, Done: 1})
		w.claims("b", "c", "e")
	}},
	{"a resumed batch ends a wait", func(q *subject) {
		q.put(queue.Item{ID: "a", Batch: "x"})
		q.change("x", queue.SuspendBatch)
		q.worker("w").claimsNothing()
		waited := q.waiting(q.ctx)
		start := time.Now()
		q.change("x", queue.ResumeBatch)
		q.wantWoken(<-waited, start)
		q.worker("w").claims("a")
	}},
	{"a cancelled batch has all unfinished items cancelled and lists them", cancelBatch},
	{"what a cancelled batch delays is cancelled for good", func(q *subject) {
		q.put(queue.Item{ID: "a", Batch: "x", Delay: short}, queue.Item{ID: "b", Delay: 2 * short})
		q.change("x", queue.CancelBatch)
		q.wantDepth(queue.Depth{Delayed: 1, Cancelled: 1})
		q.after(2*short, queue.Depth{Ready: 1, Cancelled: 1})
		q.worker("w").claims("b")
		q.worker("w").claimsNothing()
		q.wantListed(queue.Query{Batch: "x"}, "a")
	}},
	{"what publishes while its batch is cancelled is finished", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "x"})
		l := w.claims("a", "b")
		w.commits(l[0], "record")
		q.change("x", queue.CancelBatch)
		q.wantBatch("x", queue.Depth{Leased: 1, Cancelled: 1})
		if err := w.extend(l[0]); err != nil {
			q.Errorf("extend of what is committed: %v", err)
		}
		q.wantLost("the ack of what is not committed", w.settle(queue.Settlement{Lease: l[1], Verb: queue.Ack}))
		w.acks(l[0])
		q.wantBatch("x", queue.Depth{Done: 1, Cancelled: 1})
		q.wantEnd("x", false, true)
	}},
	{"what fails or comes back in a cancelled batch is cancelled", func(q *subject) {
		w := q.worker("w")
		for _, id := range []string{"nacked", "released", "expired"} {
			q.put(queue.Item{ID: id, Batch: "x"})
		}
		q.worker("w2").commits(q.worker("w2").claims("nacked")[0], "record")
		l := w.claims("released", "expired")
		w.commits(l[0], "record")
		w.commits(l[1], "record")
		q.change("x", queue.CancelBatch)
		q.wantDepth(queue.Depth{Leased: 3})
		w.releases(l[0])
		q.expire("w", 1)
		q.expire("w2", 1)
		q.wantDepth(queue.Depth{Cancelled: 3})
		w.claimsNothing()
	}},
	{"a batch that has ended cannot be cancelled any more", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "x"})
		q.seal("x")
		w.acks(w.claims("a")[0])
		q.change("x", queue.CancelBatch)
		q.wantEnd("x", true, false)
	}},
	{"a deleted batch forgets its ids, outputs and leases", deleteBatch},
	{"a batch is not deleted while an item of it publishes", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "x"})
		l := w.claims("a")[0]
		w.commits(l, "record")
		q.wantErr("delete of a batch that publishes", q.d.ChangeBatch(q.ctx, "x", queue.DeleteBatch), queue.ErrCommitted)
		w.releases(l)
		q.wantErr("delete of a batch that will publish", q.d.ChangeBatch(q.ctx, "x", queue.DeleteBatch), queue.ErrCommitted)
		q.wantDepth(queue.Depth{Ready: 2})
		w.acks(w.claims("a")[0])
		q.change("x", queue.DeleteBatch)
		q.wantDepth(queue.Depth{})
	}},
	{"a deleted batch's delayed items never come", func(q *subject) {
		q.put(queue.Item{ID: "a", Batch: "x", Delay: short}, queue.Item{ID: "b", Delay: 2 * short})
		q.change("x", queue.DeleteBatch)
		q.wantDepth(queue.Depth{Delayed: 1})
		q.put(queue.Item{ID: "a", Batch: "x", Payload: []byte("new")})
		q.after(2*short, queue.Depth{Ready: 2})
		if l := q.worker("w").claim(5); len(l) != 2 {
			q.Errorf("claimed %q, want a and b, once each", ids(l))
		}
	}},
	{"a batch that nobody knows cannot be changed", func(q *subject) {
		for _, v := range []queue.BatchVerb{queue.SuspendBatch, queue.ResumeBatch, queue.CancelBatch, queue.DeleteBatch} {
			q.wantErr(fmt.Sprintf("%s of an unknown batch", v), q.d.ChangeBatch(q.ctx, "unknown", v), queue.ErrNotFound)
		}
	}},
	{"a batch is shown as open until it is sealed, then as running until it is complete", func(q *subject) {
		q.open(queue.Batch{Name: "x"})
		q.put(queue.Item{ID: "a", Batch: "x"})
		if s := q.batch("x").State(); s != "Open" {
			q.Errorf("x is shown as %s, want Open", s)
		}
		q.seal("x")
		if s := q.batch("x").State(); s != "Running" {
			q.Errorf("x is shown as %s, want Running", s)
		}
		w := q.worker("w")
		w.acks(w.claims("a")[0])
		if s := q.batch("x").State(); s != "Complete" {
			q.Errorf("x is shown as %s, want Complete", s)
		}
	}},
}

func cancelBatch(q *subject) {
	w := q.worker("w")
	q.put(queue.Item{ID: "done", Batch: "x"}, queue.Item{ID: "dead", Batch: "x"}, queue.Item{ID: "leased", Batch: "x"},
		queue.Item{ID: "ready", Batch: "x"}, queue.Item{ID: "delayed", Batch: "x", Delay: long}, queue.Item{ID: "other", Batch: "y"})
	l := w.claims("done", "dead", "leased")
	w.acks(l[0])
	w.settles(queue.Settlement{Lease: l[1], Verb: queue.Bury, Failure: failure("broken")})
	q.change("x", queue.CancelBatch)
	q.change("x", queue.CancelBatch)
	q.wantBatch("x", queue.Depth{Done: 1, Dead: 1, Cancelled: 3})
	q.wantDepth(queue.Depth{Ready: 1, Done: 1, Dead: 1, Cancelled: 3})
	q.wantLost("the ack of a cancelled item", w.settle(queue.Settlement{Lease: l[2], Verb: queue.Ack}))
	q.wantLost("the extend of a cancelled item", w.extend(l[2]))
	q.wantLost("the commit of a cancelled item", q.d.Commit(q.ctx, l[2], []byte("record")))
	w.claims("other")
	w.claimsNothing()
	b := q.batch("x")
	if !b.Cancelled || !b.Sealed || b.Reason != "Cancelled" || b.State() != "Cancelled" {
		q.Errorf("the batch is %+v, shown as %s, want it sealed and Cancelled", b, b.State())
	}
	q.wantEnd("x", false, true)
	q.wantOutcome(queue.Item{ID: "new", Batch: "x"}, queue.BatchClosed)
	var got []string
	for _, r := range q.items(queue.Query{Batch: "x", States: []queue.State{queue.Cancelled}}) {
		got = append(got, r.Item.ID)
	}
	slices.Sort(got)
	if want := []string{"delayed", "leased", "ready"}; !slices.Equal(got, want) {
		q.Errorf("cancelled are %q, want %q", got, want)
	}
	if s := q.record("leased").State; s != queue.Cancelled {
		q.Errorf("a cancelled item is listed as %s", s)
	}
}

func deleteBatch(q *subject) {
	w := q.worker("w")
	items := []queue.Item{
		{ID: "done", Batch: "x", Output: "1"}, {ID: "dead", Batch: "x", Output: "2"}, {ID: "leased", Batch: "x", Output: "3"},
		{ID: "ready", Batch: "x", Output: "4"}, {ID: "delayed", Batch: "x", Output: "5", Delay: long}, {ID: "cancelled", Batch: "x", Output: "6"},
	}
	q.put(items...)
	q.put(queue.Item{ID: "other", Batch: "y"})
	l := w.claims("done", "dead", "leased")
	w.acks(l[0])
	w.settles(queue.Settlement{Lease: l[1], Verb: queue.Bury, Failure: failure("broken")})
	q.changes(queue.CancelItem, "cancelled")
	q.change("x", queue.DeleteBatch)
	q.wantDepth(queue.Depth{Ready: 1})
	q.wantListed(queue.Query{States: queue.States}, "other")
	q.wantLost("the ack of a deleted item", w.settle(queue.Settlement{Lease: l[2], Verb: queue.Ack}))
	q.wantLost("the extend of a deleted item", w.extend(l[2]))
	q.wantLost("the commit of a deleted item", q.d.Commit(q.ctx, l[2], []byte("record")))
	w.claims("other")
	w.claimsNothing()
	if all, err := q.d.Batches(q.ctx); err != nil || slices.ContainsFunc(all, func(b queue.BatchInfo) bool { return b.Name == "x" }) {
		q.Errorf("after its deletion x is listed: %+v, %v", all, err)
	}
	for i := range items {
		items[i].Delay, items[i].Payload = 0, []byte("new")
	}
	items[0].ID = "quite new" // but takes an old output
	q.put(items...)
	for _, l := range w.claim(len(items)) {
		if l.Attempt != 1 || l.Committed != nil || string(l.Item.Payload) != "new" {
			q.Errorf("a new item of an old id has the lease %+v", l)
		}
		w.acks(l)
	}
	q.wantBatch("x", queue.Depth{Done: int64(len(items))})
}

// open opens a batch, which is to work.
func (q *subject) open(b queue.Batch) {
	q.Helper()
	if err := q.d.OpenBatch(q.ctx, b); err != nil {
		q.Fatalf("OpenBatch(%+v): %v", b, err)
	}
}

// change does v to a batch, which is to work.
func (q *subject) change(batch string, v queue.BatchVerb) {
	q.Helper()
	if err := q.d.ChangeBatch(q.ctx, batch, v); err != nil {
		q.Fatalf("%s of batch %s: %v", v, batch, err)
	}
}

func (q *subject) wantErr(what string, err, want error) {
	q.Helper()
	if !errors.Is(err, want) {
		q.Fatalf("%s: %v, want %v", what, err, want)
	}
}
