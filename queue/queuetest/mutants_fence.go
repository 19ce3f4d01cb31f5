package queuetest

import (
	"context"
	"errors"
	"slices"

	"sluice.dev/queue"
)

// fenceMutants let a stale holder do something: what a queue does whose
// settlements carry an item's id alone.
func fenceMutants() []Mutant {
	var all []Mutant
	for _, v := range []queue.Verb{queue.Ack, queue.Nack, queue.Release, queue.Bury} {
		all = append(all,
			Mutant{"takes a stale " + v.String() + " for the holder's", staleSettles(v, nil)},
			Mutant{"refuses a stale " + v.String() + " and carries it out", staleSettles(v, queue.ErrLeaseLost)},
		)
	}
	return append(all, []Mutant{
		{"says that a stale ack was done", onReply(func(r *queue.Reply) { clear(r.Settled) })},
		{"says that every ack was lost", onReply(func(r *queue.Reply) {
			for i := range r.Settled {
				r.Settled[i] = queue.ErrLeaseLost
			}
		})},
		{"mixes up who was refused", onReply(func(r *queue.Reply) { slices.Reverse(r.Settled) })},
		{"fails a whole exchange for one stale lease", tamper(func(t *tampered) {
			t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
				r, err := t.Driver.Exchange(ctx, x)
				if i := slices.IndexFunc(r.Settled, func(err error) bool { return err != nil }); i >= 0 {
					return queue.Reply{}, r.Settled[i]
				}
				return r, err
			}
		})},
		{"takes a stale extend for the holder's", fenced(func(t *tampered, current func(queue.Lease) queue.Lease) {
			t.extend = func(ctx context.Context, worker string, leases []queue.Lease) ([]error, error) {
				leases = slices.Clone(leases)
				for i := range leases {
					leases[i] = current(leases[i])
				}
				return t.Driver.Extend(ctx, worker, leases)
			}
		})},
		{"refuses a stale extend and carries it out", fenced(func(t *tampered, current func(queue.Lease) queue.Lease) {
			t.extend = func(ctx context.Context, worker string, leases []queue.Lease) ([]error, error) {
				errs, err := t.Driver.Extend(ctx, worker, leases)
				for _, l := range leases {
					if _, e := t.Driver.Extend(ctx, worker, []queue.Lease{current(l)}); e != nil {
						err = e
					}
				}
				return errs, err
			}
		})},
		{"says that a stale extend was done", tamper(func(t *tampered) {
			t.extend = func(ctx context.Context, worker string, leases []queue.Lease) ([]error, error) {
				_, err := t.Driver.Extend(ctx, worker, leases)
				return make([]error, len(leases)), err
			}
		})},
		{"extends nothing", tamper(func(t *tampered) {
			t.extend = func(_ context.Context, _ string, leases []queue.Lease) ([]error, error) {
				return make([]error, len(leases)), nil
			}
		})},
		{"takes a stale commit for the holder's", fenced(func(t *tampered, current func(queue.Lease) queue.Lease) {
			t.commit = func(ctx context.Context, l queue.Lease, record []byte) error {
				return t.Driver.Commit(ctx, current(l), record)
			}
		})},
		{"refuses a stale commit and carries it out", fenced(func(t *tampered, current func(queue.Lease) queue.Lease) {
			t.commit = func(ctx context.Context, l queue.Lease, record []byte) error {
				err := t.Driver.Commit(ctx, l, record)
				if errors.Is(err, queue.ErrLeaseLost) {
					_ = t.Driver.Commit(ctx, current(l), record) // the caller is told of the refusal
				}
				return err
			}
		})},
		{"says that a stale commit was done", tamper(func(t *tampered) {
			t.commit = func(ctx context.Context, l queue.Lease, record []byte) error {
				if err := t.Driver.Commit(ctx, l, record); !errors.Is(err, queue.ErrLeaseLost) {
					return err
				}
				return nil
			}
		})},
		{"commits once a token", tamper(func(t *tampered) {
			var seen memory[uint64, bool]
			t.commit = func(ctx context.Context, l queue.Lease, record []byte) error {
				if _, ok := seen.get(l.Token); ok {
					return queue.ErrLeaseLost
				}
				seen.set(l.Token, true)
				return t.Driver.Commit(ctx, l, record)
			}
		})},
		{"ends a token with its deadline", tamper(func(t *tampered) {
			// Its deadline has passed when somebody sees it other than leased.
			gone := func(ctx context.Context, l queue.Lease) bool {
				rs, err := t.Driver.Items(ctx, queue.Query{ID: l.Item.ID})
				return err == nil && len(rs) == 1 && rs[0].State != queue.Leased
			}
			t.extend = func(ctx context.Context, worker string, leases []queue.Lease) ([]error, error) {
				errs, err := t.Driver.Extend(ctx, worker, nil)
				for _, l := range leases {
					lost := []error{queue.ErrLeaseLost}
					if !gone(ctx, l) {
						lost, err = t.Driver.Extend(ctx, worker, []queue.Lease{l})
					}
					errs = append(errs, lost...)
				}
				return errs, err
			}
		})},
	}...)
}

// fenced gives a mutant the lease that is current in place of a stale one.
func fenced(f func(t *tampered, current func(queue.Lease) queue.Lease)) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		var latest memory[string, queue.Lease]
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			r, err := t.Driver.Exchange(ctx, x)
			for _, l := range r.Leases {
				latest.set(l.Item.ID, l)
			}
			return r, err
		}
		f(t, func(l queue.Lease) queue.Lease {
			now, ok := latest.get(l.Item.ID)
			if !ok {
				return l
			}
			return now
		})
	})
}

// staleSettles carries out a stale settlement in the holder's name and answers
// with err.
func staleSettles(v queue.Verb, err error) func(queue.Driver) queue.Driver {
	return fenced(func(t *tampered, current func(queue.Lease) queue.Lease) {
		honest := t.exchange
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			x.Settle = slices.Clone(x.Settle)
			stale := make([]bool, len(x.Settle))
			for i, s := range x.Settle {
				if now := current(s.Lease); s.Verb == v && now.Token != s.Lease.Token {
					x.Settle[i].Lease, stale[i] = now, true
				}
			}
			r, e := honest(ctx, x)
			for i := range r.Settled {
				if stale[i] {
					r.Settled[i] = err
				}
			}
			return r, e
		}
	})
}
