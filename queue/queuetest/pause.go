package queuetest

import (
	"context"
	"time"

	"sluice.dev/queue"
)

var pauseSentences = []sentence{
	{"a paused queue says so, gives nothing and holds all that is ready", func(q *subject) {
		w := q.worker("w")
		q.putIDs("a", "b")
		q.put(queue.Item{ID: "x", Batch: "x"})
		l := w.claims("a")[0]
		q.pause(true)
		q.pause(true)
		w.claimsNothing()
		q.wantDepth(queue.Depth{Ready: 2, Held: 2, Leased: 1, Paused: true})
		q.wantBatch("x", queue.Depth{Ready: 1, Held: 1, Paused: true})
		q.wantOutcome(queue.Item{ID: "c"}, queue.Added)
		if err := w.extend(l); err != nil {
			q.Errorf("extend while the queue is paused: %v", err)
		}
		w.commits(l, "record")
		w.acks(l)
		q.wantDepth(queue.Depth{Ready: 3, Held: 3, Done: 1, Paused: true})
		q.pause(false)
		q.wantDepth(queue.Depth{Ready: 3, Done: 1})
		w.claims("b", "c", "x")
	}},
	{"a paused queue wakes nobody, and wakes when it goes on", func(q *subject) {
		w := q.worker("w")
		q.pause(true)
		w.claimsNothing()
		start := time.Now()
		waited := make(chan error, 1)
		q.background(q.ctx, func(ctx context.Context) { waited <- q.d.Wait(ctx, "w", 3*short) })
		if _, err := q.another().Enqueue(q.ctx, []queue.Item{{ID: "a"}}); err != nil {
			q.Fatalf("Enqueue: %v", err)
		}
		q.wantWoken(<-waited, start)
		if took := time.Since(start); took < 2*short {
			q.Errorf("a wait on a paused queue ended after %s, want %s", took, 3*short)
		}
		w.claimsNothing()
		again := q.waiting(q.ctx)
		start = time.Now()
		q.pause(false)
		q.wantWoken(<-again, start)
		w.claims("a")
	}},
	{"a worker may leave a paused queue", func(q *subject) {
		q.putIDs("a")
		q.pause(true)
		q.wantLeave("w", 0, true)
	}},
	{"a lease that ends while the queue is paused is held", func(q *subject) {
		q.force(queue.Policy{Lease: short, RetryDelay: shortest})
		q.putIDs("a")
		q.worker("w").claims("a")
		q.pause(true)
		q.after(2*short, queue.Depth{Ready: 1, Held: 1, Paused: true})
		q.worker("w").claimsNothing()
		q.pause(false)
		q.worker("w").claims("a")
	}},
	{"workers are listed with their leases", func(q *subject) {
		q.putIDs("a", "b", "c")
		q.worker("w1").claims("a", "b")
		w := q.worker("w2")
		w.acks(w.claims("c")[0])
		q.wantLeave("w2", 0, true)
		ws := q.listWorkers()
		if len(ws) != 2 || ws[0].ID != "w1" || ws[0].Leases != 2 || ws[0].Gone || ws[1].ID != "w2" || ws[1].Leases != 0 || !ws[1].Gone {
			q.Errorf("the workers are %+v, want w1 with 2 leases and w2 gone", ws)
		}
		q.idle(short)
		w.claim(0)
		ws = q.listWorkers()
		if len(ws) != 2 || ws[0].Seen < short-time.Millisecond || ws[0].Seen > patience || ws[1].Seen >= ws[0].Seen {
			q.Errorf("after %s the workers were seen %+v", short, ws)
		}
	}},
	{"a watch ends with its limit, and for a change by another client", func(q *subject) {
		q.settleWatch()
		other := q.another()
		for what, act := range map[string]func() error{
			"an enqueue": func() error {
				_, err := other.Enqueue(q.ctx, []queue.Item{{ID: "a", Batch: "x"}})
				return err
			},
			"a seal": func() error { return other.Seal(q.ctx, "empty") },
			"a pause": func() error {
				if err := other.Pause(q.ctx, true); err != nil {
					return err
				}
				return other.Pause(q.ctx, false)
			},
			"a drop":  func() error { return other.Drop(q.ctx) },
			"a batch": func() error { return other.OpenBatch(q.ctx, queue.Batch{Name: "y"}) },
		} {
			q.settleWatch()
			start := time.Now()
			ended := q.watching()
			if err := act(); err != nil {
				q.Fatalf("%s: %v", what, err)
			}
			if err := <-ended; err != nil {
				q.Fatalf("Watch: %v", err)
			}
			if took := time.Since(start); took > soon {
				q.Fatalf("a watch ended %s after %s", took, what)
			}
		}
	}},
	{"a change between two watches is not missed", func(q *subject) {
		q.settleWatch()
		q.putIDs("a")
		start := time.Now()
		if err := <-q.watching(); err != nil {
			q.Fatalf("Watch: %v", err)
		}
		if took := time.Since(start); took > soon {
			q.Errorf("a watch after the change took %s", took)
		}
	}},
	{"a dropped queue is as if it had never been", func(q *subject) {
		w := q.worker("w")
		q.state(queue.Policy{Lease: long, Retention: minute})
		q.put(queue.Item{ID: "a", Batch: "x", Output: "out"}, queue.Item{ID: "b", Delay: long}, queue.Item{ID: "c", Batch: "x"})
		l := w.claims("a", "c")
		w.acks(l[1])
		q.change("x", queue.SuspendBatch)
		q.pause(true)
		q.drop()
		q.wantDepth(queue.Depth{})
		q.wantListed(queue.Query{States: queue.States})
		q.wantPolicy(queue.DefaultPolicy())
		if ws := q.listWorkers(); len(ws) != 0 {
			q.Errorf("after a drop the workers are %+v", ws)
		}
		q.wantLost("the ack of a dropped item", q.worker("w2").settle(queue.Settlement{Lease: l[0], Verb: queue.Ack}))
		q.put(queue.Item{ID: "new", Output: "out"}, queue.Item{ID: "c", Payload: []byte("new")})
		q.worker("w3").claims("new", "c")
	}},
	{"tokens grow on in a store that forgot", func(q *subject) {
		var last uint64
		for i := range 3 {
			q.putIDs("a", "b", "c")
			for _, l := range q.worker("w"+itemID(i)).claims("a", "b", "c") {
				if l.Token <= last {
					q.Fatalf("token %d came after token %d", l.Token, last)
				}
				last = l.Token
			}
			q.drop()
			q.idle(shortest)
		}
	}},
}

func (q *subject) pause(paused bool) {
	q.Helper()
	if err := q.d.Pause(q.ctx, paused); err != nil {
		q.Fatalf("Pause(%t): %v", paused, err)
	}
}

func (q *subject) drop() {
	q.Helper()
	if err := q.d.Drop(q.ctx); err != nil {
		q.Fatalf("Drop: %v", err)
	}
}

func (q *subject) listWorkers() []queue.WorkerInfo {
	q.Helper()
	ws, err := q.d.Workers(q.ctx)
	if err != nil {
		q.Fatalf("Workers: %v", err)
	}
	return ws
}

// settleWatch watches until nothing has changed for a while.
func (q *subject) settleWatch() {
	q.Helper()
	for range 20 {
		start := time.Now()
		if err := q.d.Watch(q.ctx, short); err != nil {
			q.Fatalf("Watch: %v", err)
		}
		if took := time.Since(start); took > soon {
			q.Fatalf("a watch of %s took %s", short, took)
		} else if took >= short {
			return
		}
	}
	q.Fatalf("twenty watches of a queue that nobody changes saw a change")
}

// watching watches, for so long that only an event can end it in time.
func (q *subject) watching() <-chan error {
	ended := make(chan error, 1)
	q.background(q.ctx, func(ctx context.Context) { ended <- q.d.Watch(ctx, 2*soon) })
	return ended
}
