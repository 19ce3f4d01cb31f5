package queuetest

import (
	"errors"
	"fmt"
	"time"

	"sluice.dev/queue"
)

func operateSentences() []sentence {
	s := []sentence{
		{"a retried item is ready, with its attempts counted anew", retryDead},
		{"what was dead and retried is forgotten whole, and its id is new", func(q *subject) {
			w := q.worker("w")
			q.putIDs("a")
			w.settles(queue.Settlement{Lease: w.claims("a")[0], Verb: queue.Bury, Failure: failure("broken")})
			q.changes(queue.RetryItem, "a")
			w.acks(w.claims("a")[0])
			q.changes(queue.DeleteItem, "a")
			q.putIDs("a")
			if r := q.record("a"); len(r.Failures) > 0 || r.Attempts > 0 {
				q.Errorf("the new item has %d attempts, and failures of the old one: %v", r.Attempts, r.Failures)
			}
		}},
		{"an item of a deleted batch that comes anew holds no output but its own", func(q *subject) {
			q.put(queue.Item{ID: "a", Batch: "x", Output: "old", Delay: long})
			if err := q.d.ChangeBatch(q.ctx, "x", queue.DeleteBatch); err != nil {
				q.Fatal(err)
			}
			q.put(queue.Item{ID: "a", Batch: "y", Output: "new"}, queue.Item{ID: "b", Batch: "y", Output: "old"})
			q.worker("w").claims("a", "b")
		}},
		{"a retry reopens a batch that failed", func(q *subject) {
			w := q.worker("w")
			q.put(queue.Item{ID: "a", Batch: "x"})
			q.seal("x")
			w.settles(queue.Settlement{Lease: w.claims("a")[0], Verb: queue.Bury, Failure: failure("broken")})
			q.wantEnd("x", false, true)
			q.changes(queue.RetryItem, "a")
			q.wantEnd("x", false, false)
			w.acks(w.claims("a")[0])
			q.wantEnd("x", true, false)
		}},
		{"a retry ends a wait", func(q *subject) {
			w := q.worker("w")
			q.putIDs("a")
			w.settles(queue.Settlement{Lease: w.claims("a")[0], Verb: queue.Bury, Failure: failure("broken")})
			w.claimsNothing()
			waited := q.waiting(q.ctx)
			start := time.Now()
			q.changes(queue.RetryItem, "a")
			q.wantWoken(<-waited, start)
		}},
		{"only a dead item is retried", func(q *subject) {
			q.allStates()
			for _, id := range []string{"blocked", "delayed", "ready", "leased"} {
				q.wantWrong(queue.RetryItem, id, queue.Ready)
			}
			q.wantWrong(queue.RetryItem, "done", queue.Done)
			q.wantWrong(queue.RetryItem, "cancelled", queue.Cancelled)
			q.wantUnchanged()
		}},
		{"only an unfinished item is cancelled", func(q *subject) {
			l := q.allStates()
			for _, id := range []string{"done", "dead", "cancelled"} {
				q.wantWrong(queue.CancelItem, id, queue.State(id))
			}
			q.wantUnchanged()
			q.changes(queue.CancelItem, "blocked", "delayed", "ready", "leased")
			q.wantDepth(queue.Depth{Done: 1, Dead: 1, Cancelled: 5})
			q.wantLost("the ack of a cancelled item", q.worker("w").settle(queue.Settlement{Lease: l, Verb: queue.Ack}))
			q.wantLost("the extend of a cancelled item", q.worker("w").extend(l))
			q.worker("w").claimsNothing()
			for _, id := range []string{"blocked", "delayed", "ready", "leased"} {
				if s := q.record(id).State; s != queue.Cancelled {
					q.Errorf("%s is listed as %s, want cancelled", id, s)
				}
			}
			q.wantOutcome(queue.Item{ID: "ready", Output: "out/ready"}, queue.Duplicate)
		}},
		{"changes of many items have an answer each", func(q *subject) {
			q.allStates()
			errs, err := q.d.ChangeItems(q.ctx, queue.CancelItem, []string{"unknown", "ready", "done", "delayed", "ready"})
			if err != nil || len(errs) != 5 {
				q.Fatalf("ChangeItems: %v, %v", errs, err)
			}
			q.wantErr("cancel of an unknown item", errs[0], queue.ErrNotFound)
			for _, i := range []int{1, 3} {
				if errs[i] != nil {
					q.Errorf("cancel %d: %v", i, errs[i])
				}
			}
			for i, want := range map[int]queue.State{2: queue.Done, 4: queue.Cancelled} {
				if w, ok := errors.AsType[*queue.WrongState](errs[i]); !ok || w.State != want {
					q.Errorf("cancel %d: %v, want it refused as %s", i, errs[i], want)
				}
			}
			q.wantDepth(queue.Depth{Blocked: 1, Leased: 1, Done: 1, Dead: 1, Cancelled: 3})
		}},
		{"what is committed is neither cancelled nor deleted", func(q *subject) {
			w := q.worker("w")
			q.putIDs("a")
			l := w.claims("a")[0]
			w.commits(l, "record")
			for range 2 {
				for _, v := range []queue.ItemVerb{queue.CancelItem, queue.DeleteItem} {
					q.wantErr(fmt.Sprintf("%s of a committed item", v), q.changed(v, "a"), queue.ErrCommitted)
				}
				q.wantDepth(queue.Depth{Leased: 1})
				w.releases(l)
				for _, v := range []queue.ItemVerb{queue.CancelItem, queue.DeleteItem} {
					q.wantErr(fmt.Sprintf("%s of a committed item that waits", v), q.changed(v, "a"), queue.ErrCommitted)
				}
				q.pass(minute) // the second release delays
				q.force(queue.Policy{RetryDelay: shortest})
				q.after(short, queue.Depth{Ready: 1})
				l = w.claims("a")[0]
			}
			w.acks(l)
			q.changes(queue.DeleteItem, "a")
			q.wantDepth(queue.Depth{})
		}},
		{"an item of a cancelled batch may be deleted, and none twice", func(q *subject) {
			w := q.worker("w")
			q.put(queue.Item{ID: "a", Batch: "x"}, queue.Item{ID: "b", Batch: "x", Delay: short}, queue.Item{ID: "c", Batch: "x"})
			l := w.claims("a")[0]
			w.commits(l, "record")
			q.change("x", queue.CancelBatch)
			q.wantErr("delete of what publishes in a cancelled batch", q.changed(queue.DeleteItem, "a"), queue.ErrCommitted)
			q.changes(queue.DeleteItem, "b", "c")
			q.wantErr("delete again", q.changed(queue.DeleteItem, "b"), queue.ErrNotFound)
			q.wantBatch("x", queue.Depth{Leased: 1})
			q.idle(2 * short)
			q.wantListed(queue.Query{Batch: "x"}, "a")
			w.acks(l)
			q.wantDepth(queue.Depth{Done: 1})
		}},
	}
	for _, state := range queue.States {
		s = append(s, sentence{
			"delete forgets the id and output of what is " + string(state),
			func(q *subject) { deleteItem(q, state) },
		})
	}
	return s
}

func retryDead(q *subject) {
	q.force(queue.Policy{BackoffLimit: new(1)})
	w := q.worker("w")
	l := q.retried("a", 1)
	w.settles(queue.Settlement{Lease: l, Verb: queue.Nack, Failure: failure("last")})
	q.wantDepth(queue.Depth{Dead: 1})
	q.changes(queue.RetryItem, "a")
	q.wantDepth(queue.Depth{Ready: 1})
	if r := q.record("a"); r.Attempts != 0 || len(r.Failures) == 0 || r.Failures[len(r.Failures)-1] != failure("last") {
		q.Errorf("a retried item has %d attempts and failures %v, want none, and to know why it was dead", r.Attempts, r.Failures)
	}
	again := w.claims("a")[0]
	if again.Attempt != 1 || again.Token <= l.Token {
		q.Errorf("after a retry: attempt %d, token %d after %d, want attempt 1 and a higher token", again.Attempt, again.Token, l.Token)
	}
	q.wantLost("the ack of the lease before", w.settle(queue.Settlement{Lease: l, Verb: queue.Ack}))
	w.settles(queue.Settlement{Lease: again, Verb: queue.Nack, Failure: failure("again"), After: long})
	q.wantDepth(queue.Depth{Delayed: 1})
}

// deleteItem deletes the one item that is in a state, and enqueues its id and
// output anew.
func deleteItem(q *subject, state queue.State) {
	l := q.allStates()
	id := string(state)
	total := q.depth().Total()
	q.changes(queue.DeleteItem, id)
	if d := q.depth(); d.Total() != total-1 {
		q.Errorf("%d items are left of %d: %+v", d.Total(), total, d)
	}
	q.wantListed(queue.Query{ID: id})
	q.wantErr("delete again", q.changed(queue.DeleteItem, id), queue.ErrNotFound)
	if state == queue.Leased {
		q.wantLost("the ack of a deleted item", q.worker("w").settle(queue.Settlement{Lease: l, Verb: queue.Ack}))
		q.wantLost("the extend of a deleted item", q.worker("w").extend(l))
	}
	q.put(queue.Item{ID: "heir", Output: "out/" + id, Priority: 8}) // the output is free
	q.put(queue.Item{ID: id, Payload: []byte("new"), Priority: 8})  // and so is the id
	for _, l := range q.worker("w").claims("heir", id) {
		if l.Attempt != 1 || l.Committed != nil {
			q.Errorf("a new item has the lease %+v", l)
		}
	}
}

// allStates leaves an item in each state, with the state for its id, and gives
// the lease of the one that is leased by w.
func (q *subject) allStates() queue.Lease {
	q.Helper()
	w := q.worker("w")
	q.open(queue.Batch{Name: "first"})
	q.open(queue.Batch{Name: "then", After: "first"})
	put := func(id, batch string, delay time.Duration) {
		q.put(queue.Item{ID: id, Batch: batch, Output: "out/" + id, Delay: delay})
	}
	put("done", "", 0)
	put("dead", "", 0)
	put("leased", "", 0)
	put("ready", "", 0)
	put("cancelled", "", 0)
	put("delayed", "", long)
	put("blocked", "then", 0)
	l := w.claims("done", "dead", "leased")
	w.acks(l[0])
	w.settles(queue.Settlement{Lease: l[1], Verb: queue.Bury, Failure: failure("broken")})
	q.changes(queue.CancelItem, "cancelled")
	q.wantUnchanged()
	return l[2]
}

// wantUnchanged wants what allStates left.
func (q *subject) wantUnchanged() {
	q.Helper()
	q.wantDepth(queue.Depth{Blocked: 1, Delayed: 1, Ready: 1, Leased: 1, Done: 1, Dead: 1, Cancelled: 1})
	for _, s := range queue.States {
		if r := q.record(string(s)); r.State != s {
			q.Fatalf("%s is listed as %s", s, r.State)
		}
	}
}

// changed does v to one item and returns what the store says of it.
func (q *subject) changed(v queue.ItemVerb, id string) error {
	q.Helper()
	errs, err := q.d.ChangeItems(q.ctx, v, []string{id})
	if err != nil || len(errs) != 1 {
		q.Fatalf("ChangeItems(%s, %q): %v, %v", v, id, errs, err)
	}
	return errs[0]
}

// changes does v to items, which is to work for each.
func (q *subject) changes(v queue.ItemVerb, ids ...string) {
	q.Helper()
	for _, id := range ids {
		if err := q.changed(v, id); err != nil {
			q.Fatalf("%s of %q: %v", v, id, err)
		}
	}
}

// wantWrong wants v to be refused for an item's state.
func (q *subject) wantWrong(v queue.ItemVerb, id string, state queue.State) {
	q.Helper()
	err := q.changed(v, id)
	if w, ok := errors.AsType[*queue.WrongState](err); !ok || *w != (queue.WrongState{Verb: v, ID: id, State: state}) {
		q.Fatalf("%s of %q: %v, want it refused as %s", v, id, err, state)
	}
}
