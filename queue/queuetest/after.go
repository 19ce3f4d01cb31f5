package queuetest

import (
	"errors"
	"time"

	"sluice.dev/queue"
)

var afterSentences = []sentence{
	{"a batch after another is blocked until that is complete", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "first"}, queue.Item{ID: "a2", Batch: "first"})
		q.open(queue.Batch{Name: "then", After: "first"})
		q.put(queue.Item{ID: "b", Batch: "then"}, queue.Item{ID: "b9", Batch: "then", Priority: 9}, queue.Item{ID: "late", Batch: "then", Delay: long})
		q.wantDepth(queue.Depth{Blocked: 2, Delayed: 1, Ready: 2})
		if b := q.batch("then"); b.State() != "Blocked" || b.After != "first" {
			q.Errorf("the batch is shown as %s after %q, want Blocked after first", b.State(), b.After)
		}
		if r := q.record("b"); r.State != queue.Blocked {
			q.Errorf("b is listed as %s, want blocked", r.State)
		}
		l := w.claims("a", "a2")
		w.claimsNothing()
		w.acks(l[0])
		q.seal("first")
		w.claimsNothing()
		w.acks(l[1])
		q.wantDepth(queue.Depth{Ready: 2, Delayed: 1, Done: 2})
		w.claims("b9", "b")
	}},
	{"a seal may be what completes the batch before", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "first"})
		q.open(queue.Batch{Name: "then", After: "first"})
		q.put(queue.Item{ID: "b", Batch: "then"})
		w.acks(w.claims("a")[0])
		w.claimsNothing()
		waited := q.waiting(q.ctx)
		start := time.Now()
		q.seal("first")
		q.wantWoken(<-waited, start)
		w.claims("b")
	}},
	{"a batch after one that is complete is not blocked", func(q *subject) {
		q.seal("first")
		q.open(queue.Batch{Name: "then", After: "first"})
		q.put(queue.Item{ID: "b", Batch: "then"})
		q.worker("w").claims("b")
	}},
	{"a batch stays blocked after one that failed, until a retry completes it", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "first"})
		q.seal("first")
		q.open(queue.Batch{Name: "then", After: "first"})
		q.put(queue.Item{ID: "b", Batch: "then"})
		w.settles(queue.Settlement{Lease: w.claims("a")[0], Verb: queue.Bury, Failure: failure("broken")})
		q.wantEnd("first", false, true)
		w.claimsNothing()
		q.changes(queue.RetryItem, "a")
		q.wantEnd("first", false, false)
		q.wantDepth(queue.Depth{Blocked: 1, Ready: 1})
		w.acks(w.claims("a")[0])
		q.wantEnd("first", true, false)
		w.claims("b")
	}},
	{"a batch is complete once its last dead item is deleted", func(q *subject) {
		w := q.worker("w")
		q.put(queue.Item{ID: "a", Batch: "first"})
		q.seal("first")
		q.open(queue.Batch{Name: "then", After: "first"})
		q.put(queue.Item{ID: "b", Batch: "then"})
		w.settles(queue.Settlement{Lease: w.claims("a")[0], Verb: queue.Bury, Failure: failure("broken")})
		q.changes(queue.DeleteItem, "a")
		w.claims("b")
	}},
	{"a batch stays blocked after one that was cancelled", func(q *subject) {
		q.open(queue.Batch{Name: "first"})
		q.open(queue.Batch{Name: "then", After: "first"})
		q.put(queue.Item{ID: "b", Batch: "then"})
		q.change("first", queue.CancelBatch)
		q.wantDepth(queue.Depth{Blocked: 1})
		q.worker("w").claimsNothing()
	}},
	{"a batch comes after one that is known, and not after itself", func(q *subject) {
		q.wantErr("after an unknown batch", q.d.OpenBatch(q.ctx, queue.Batch{Name: "x", After: "unknown"}), queue.ErrNotFound)
		if err := q.d.OpenBatch(q.ctx, queue.Batch{Name: "x", After: "x"}); err == nil {
			q.Errorf("a batch comes after itself")
		}
		if all, err := q.d.Batches(q.ctx); err != nil || len(all) > 0 && all[len(all)-1].Name != "" {
			q.Errorf("what was refused is there: %+v, %v", all, err)
		}
	}},
	{"opening a batch again is no error, unless it says something else", func(q *subject) {
		q.open(queue.Batch{Name: "first"})
		for range 2 {
			q.open(queue.Batch{Name: "then", After: "first"})
			q.open(queue.Batch{Name: "timed", Deadline: long})
		}
		q.open(queue.Batch{Name: "timed"}) // states nothing
		for _, b := range []queue.Batch{
			{Name: "then"},
			{Name: "first", After: "then"},
			{Name: "first", Deadline: long},
			{Name: "timed", Deadline: long + time.Second},
		} {
			if err := q.d.OpenBatch(q.ctx, b); err == nil || errors.Is(err, queue.ErrNotFound) {
				q.Errorf("OpenBatch(%+v) against what was said before: %v", b, err)
			}
		}
		if d := q.batch("first").Deadline; d != 0 {
			q.Errorf("a refused deadline is in force, in %s", d)
		}
	}},
	{"a batch that another waits for is not deleted before that one", func(q *subject) {
		q.open(queue.Batch{Name: "first"})
		q.open(queue.Batch{Name: "then", After: "first"})
		if err := q.d.ChangeBatch(q.ctx, "first", queue.DeleteBatch); err == nil {
			q.Errorf("the batch that then waits for was deleted")
		}
		q.batch("first")
		q.change("then", queue.DeleteBatch)
		q.change("first", queue.DeleteBatch)
	}},
	{"what was blocked may be suspended, cancelled and deleted", func(q *subject) {
		q.open(queue.Batch{Name: "first"})
		q.open(queue.Batch{Name: "held", After: "first"})
		q.open(queue.Batch{Name: "void", After: "first"})
		q.put(queue.Item{ID: "a", Batch: "held"}, queue.Item{ID: "b", Batch: "void"}, queue.Item{ID: "c", Batch: "held"}, queue.Item{ID: "d", Batch: "held"})
		q.change("held", queue.SuspendBatch)
		q.change("void", queue.CancelBatch)
		q.changes(queue.CancelItem, "c")
		q.changes(queue.DeleteItem, "d")
		q.wantDepth(queue.Depth{Blocked: 1, Cancelled: 2})
		q.seal("first")
		q.wantDepth(queue.Depth{Ready: 1, Held: 1, Cancelled: 2})
		q.worker("w").claimsNothing()
		q.change("held", queue.ResumeBatch)
		q.worker("w").claims("a")
	}},
	{"past its deadline a batch is cancelled", func(q *subject) {
		w := q.worker("w")
		q.open(queue.Batch{Name: "x", Deadline: 5 * short})
		q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "x"}, queue.Item{ID: "c", Batch: "x"})
		if d := q.batch("x").Deadline; d <= 0 || d > 5*short {
			q.Errorf("the deadline is %s away, want %s", d, 5*short)
		}
		l := w.claims("a", "b")
		w.acks(l[0])
		q.after(5*short, queue.Depth{Done: 1, Cancelled: 2})
		if b := q.batch("x"); b.State() != "Cancelled" || b.Reason != "DeadlineExceeded" {
			q.Errorf("the batch is shown as %s, %q, want Cancelled, DeadlineExceeded", b.State(), b.Reason)
		}
		q.wantLost("the ack of a cancelled item", w.settle(queue.Settlement{Lease: l[1], Verb: queue.Ack}))
		q.wantOutcome(queue.Item{ID: "new", Batch: "x"}, queue.BatchClosed)
	}},
	{"a deadline needs nobody to look", func(q *subject) {
		q.open(queue.Batch{Name: "x", Deadline: short})
		q.idle(short + short/2)
		q.wantOutcome(queue.Item{ID: "a", Batch: "x"}, queue.BatchClosed)
		q.worker("w").claimsNothing()
	}},
	{"a batch that is complete at its deadline stays so", func(q *subject) {
		q.open(queue.Batch{Name: "x", Deadline: 5 * short})
		q.seal("x")
		q.open(queue.Batch{Name: "y", Deadline: 5 * short})
		q.put(queue.Item{ID: "y", Batch: "y"})
		q.after(5*short, queue.Depth{Cancelled: 1})
		q.wantEnd("x", true, false)
	}},
	{"a batch knows its age", func(q *subject) {
		q.open(queue.Batch{Name: "x"})
		q.idle(short)
		if age := q.batch("x").Age; age < short-time.Millisecond || age > patience {
			q.Errorf("after %s the batch's age is %s", short, age)
		}
	}},
}
