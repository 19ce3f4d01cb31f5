package queuetest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"sluice.dev/queue"
)

// stride leaves room between two numbers of a worker, and clients is how many
// clients have used it.
const stride = 10_000

var clients atomic.Uint64

var replayMutants = []Mutant{
	{"claims again for a number that is sent again", renumber(func(x queue.Exchange, n uint64) uint64 {
		if len(x.Settle) > 0 {
			n = 0
		}
		return x.Seq*stride + n
	})},
	{"settles again for a number that is sent again", renumber(func(x queue.Exchange, n uint64) uint64 {
		if len(x.Settle) == 0 {
			n = 0
		}
		return x.Seq*stride + n
	})},
	{"keeps replies in the client", func(d queue.Driver) queue.Driver {
		client := clients.Add(1) % stride
		return keepReplies(func(seq uint64) uint64 { return seq*stride + client }, cloneReply)(d)
	}},
	{"takes older numbers", tamper(func(t *tampered) {
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			r, err := t.Driver.Exchange(ctx, x)
			for errors.Is(err, queue.ErrStale) {
				x.Seq++
				r, err = t.Driver.Exchange(ctx, x)
			}
			return r, err
		}
	})},
	{"refuses older numbers without saying so", tamper(func(t *tampered) {
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			r, err := t.Driver.Exchange(ctx, x)
			if errors.Is(err, queue.ErrStale) {
				err = errors.New("older")
			}
			return r, err
		}
	})},
	{"keeps one number for all workers", tamper(func(t *tampered) {
		var last memory[string, uint64]
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			if seq, _ := last.get(""); x.Seq < seq {
				return queue.Reply{}, queue.ErrStale
			}
			last.set("", x.Seq)
			return t.Driver.Exchange(ctx, x)
		}
	})},
	{"hands out the reply that it keeps", keepReplies(
		func(seq uint64) uint64 { return seq },
		func(r queue.Reply) queue.Reply { return r },
	)},
	{"keeps the payload that it was given", tamper(func(t *tampered) {
		var kept memory[string, []byte]
		t.enqueue = func(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
			out, err := t.Driver.Enqueue(ctx, items)
			for i, o := range out {
				if o == queue.Added {
					kept.set(items[i].ID, items[i].Payload)
				}
			}
			return out, err
		}
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			r, err := t.Driver.Exchange(ctx, x)
			for i, l := range r.Leases {
				if p, ok := kept.get(l.Item.ID); ok {
					r.Leases[i].Item.Payload = slices.Clone(p)
				}
			}
			return r, err
		}
	})},
}

// renumber sends exchanges under other numbers: what f makes of an exchange
// that this client has sent n times before.
func renumber(f func(x queue.Exchange, n uint64) uint64) func(queue.Driver) queue.Driver {
	type sent struct{ seq, times uint64 }
	return tamper(func(t *tampered) {
		var last memory[string, sent]
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			s, _ := last.get(x.Worker)
			if s.seq != x.Seq {
				s = sent{seq: x.Seq}
			}
			last.set(x.Worker, sent{s.seq, s.times + 1})
			x.Seq = f(x, s.times)
			return t.Driver.Exchange(ctx, x)
		}
	})
}

// keepReplies answers a number that comes again from the client's memory, with
// what alike makes of the reply, and sends new numbers as own has them.
func keepReplies(own func(seq uint64) uint64, alike func(queue.Reply) queue.Reply) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		var last memory[string, answered]
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			if a, ok := last.get(x.Worker); ok && a.seq == x.Seq {
				return alike(a.reply), nil
			}
			seq := x.Seq
			x.Seq = own(seq)
			r, err := t.Driver.Exchange(ctx, x)
			if err == nil {
				last.set(x.Worker, answered{seq, alike(r)})
			}
			return r, err
		}
	})
}

// answered is a worker's last exchange as a client saw it.
type answered struct {
	seq   uint64
	reply queue.Reply
}

func cloneReply(r queue.Reply) queue.Reply {
	r.Settled, r.Leases = slices.Clone(r.Settled), slices.Clone(r.Leases)
	for i, l := range r.Leases {
		r.Leases[i].Item.Payload = slices.Clone(l.Item.Payload)
	}
	return r
}
