package queuetest

import (
	"errors"
	"slices"

	"sluice.dev/queue"
)

// worker is a worker of the queue, which numbers its exchanges.
type worker struct {
	q   *subject
	id  string
	seq uint64
}

// worker is the worker of this name, the same one each time.
func (q *subject) worker(id string) *worker {
	if q.workers[id] == nil {
		q.workers[id] = &worker{q: q, id: id}
	}
	return q.workers[id]
}

// number gives an exchange the worker's name and next number.
func (w *worker) number(x queue.Exchange) queue.Exchange {
	w.seq++
	x.Worker, x.Seq = w.id, w.seq
	return x
}

// send sends an exchange under the next number.
func (w *worker) send(x queue.Exchange) queue.Reply {
	w.q.Helper()
	return w.q.exchange(w.q.d, w.number(x))
}

// exchange sends an exchange as it is.
func (q *subject) exchange(d queue.Driver, x queue.Exchange) queue.Reply {
	q.Helper()
	r, err := d.Exchange(q.ctx, x)
	if err != nil {
		q.Fatalf("Exchange %d of worker %s: %v", x.Seq, x.Worker, err)
	}
	if len(r.Settled) != len(x.Settle) {
		q.Fatalf("exchange of %d settlements answered %d of them", len(x.Settle), len(r.Settled))
	}
	if len(r.Leases) > x.Claim {
		q.Fatalf("a claim of %d gave %d leases: %q", x.Claim, len(r.Leases), ids(r.Leases))
	}
	return r
}

// claim claims at most n items.
func (w *worker) claim(n int) []queue.Lease {
	w.q.Helper()
	return w.send(queue.Exchange{Claim: n}).Leases
}

// claims wants a claim to give exactly these items, in this order.
func (w *worker) claims(want ...string) []queue.Lease {
	w.q.Helper()
	leases := w.claim(len(want))
	if !slices.Equal(ids(leases), want) {
		w.q.Fatalf("worker %s claimed %q, want %q", w.id, ids(leases), want)
	}
	return leases
}

// claimsNothing wants the queue to have nothing for the worker now.
func (w *worker) claimsNothing() {
	w.q.Helper()
	if got := w.claim(10); len(got) > 0 {
		w.q.Fatalf("worker %s claimed %q, want nothing", w.id, ids(got))
	}
}

// only is the one lease of a reply.
func (q *subject) only(r queue.Reply) queue.Lease {
	q.Helper()
	if len(r.Leases) != 1 {
		q.Fatalf("the reply has %d leases, want one: %q", len(r.Leases), ids(r.Leases))
	}
	return r.Leases[0]
}

// settle ends one lease and returns what the store says of it.
func (w *worker) settle(s queue.Settlement) error {
	w.q.Helper()
	return w.send(queue.Exchange{Settle: []queue.Settlement{s}}).Settled[0]
}

// settles ends one lease, which must be current.
func (w *worker) settles(s queue.Settlement) {
	w.q.Helper()
	if err := w.settle(s); err != nil {
		w.q.Fatalf("%s of %q: %v", s.Verb, s.Lease.Item.ID, err)
	}
}

func (w *worker) acks(l queue.Lease) {
	w.q.Helper()
	w.settles(queue.Settlement{Lease: l, Verb: queue.Ack})
}

func (w *worker) nacks(l queue.Lease) {
	w.q.Helper()
	w.settles(queue.Settlement{Lease: l, Verb: queue.Nack, Failure: failure("no luck")})
}

func (w *worker) releases(l queue.Lease) {
	w.q.Helper()
	w.settles(queue.Settlement{Lease: l, Verb: queue.Release, Failure: interrupted})
}

// extend renews one lease and returns what the store says of it.
func (w *worker) extend(l queue.Lease) error {
	w.q.Helper()
	errs, err := w.q.d.Extend(w.q.ctx, w.id, []queue.Lease{l})
	if err != nil || len(errs) != 1 {
		w.q.Fatalf("Extend of one lease: %v, %v", errs, err)
	}
	return errs[0]
}

func (w *worker) commits(l queue.Lease, record string) {
	w.q.Helper()
	if err := w.q.d.Commit(w.q.ctx, l, []byte(record)); err != nil {
		w.q.Fatalf("Commit of %q: %v", l.Item.ID, err)
	}
}

// wantLost wants the refusal of a token that is not current.
func (q *subject) wantLost(what string, err error) {
	q.Helper()
	if !errors.Is(err, queue.ErrLeaseLost) {
		q.Fatalf("%s: %v, want %v", what, err, queue.ErrLeaseLost)
	}
}

func failure(message string) queue.Failure {
	return queue.Failure{Cause: queue.CauseError, Message: message}
}

var interrupted = queue.Failure{Cause: queue.CauseInterrupted, Message: "the worker is leaving"}
