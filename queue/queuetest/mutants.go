package queuetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"sluice.dev/queue"
)

// Mutants is drivers that break one rule each.
func Mutants() []Mutant {
	return slices.Concat(itemMutants, claimMutants, settleMutants, fenceMutants(), replayMutants,
		viewMutants, batchMutants, steerMutants, operateMutants, policyMutants, waitMutants, contextMutants)
}

var itemMutants = []Mutant{
	{"reports a duplicate as added", onOutcomes(func(out []queue.Outcome) {
		replace(out, queue.Duplicate, queue.Added)
	})},
	{"reports a conflict as a duplicate", onOutcomes(func(out []queue.Outcome) {
		replace(out, queue.Conflict, queue.Duplicate)
	})},
	{"reports outcomes in another order", onOutcomes(func(out []queue.Outcome) { slices.Reverse(out) })},
	{"enqueues in another order", tamper(func(t *tampered) {
		t.enqueue = func(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
			items = slices.Clone(items)
			slices.Reverse(items)
			out, err := t.Driver.Enqueue(ctx, items)
			slices.Reverse(out)
			return out, err
		}
	})},
	{"knows no priority", onItem(func(it *queue.Item) { it.Priority = 0 })},
	{"takes 1 for the most urgent", onItem(func(it *queue.Item) {
		if it.Priority > 0 {
			it.Priority = 10 - it.Priority
		}
	})},
	{"knows no delay", onItem(func(it *queue.Item) { it.Delay = 0 })},
	{"ends a delay early", onItem(func(it *queue.Item) { it.Delay = it.Delay * 9 / 10 })},
	{"ends a delay late", onItem(func(it *queue.Item) { it.Delay *= 2 })},
	{"knows no batch", onItem(func(it *queue.Item) { it.Batch = "" })},
	{"lets two items publish one output", onItem(func(it *queue.Item) { it.Output = "" })},
	{"does not carry the output", onLease(func(l *queue.Lease) { l.Item.Output = "" })},
	{"ends a payload at its first NUL", onItem(func(it *queue.Item) {
		it.Payload, _, _ = bytes.Cut(it.Payload, []byte{0})
	})},
	{"keeps UTF-8 only", onItem(func(it *queue.Item) { it.Payload = bytes.ToValidUTF8(it.Payload, []byte("\ufffd")) })},
	{"keeps 64 KiB of a payload", onItem(func(it *queue.Item) { it.Payload = it.Payload[:min(len(it.Payload), 64<<10)] })},
	{"trims ids", onItem(func(it *queue.Item) { it.ID = strings.TrimSpace(it.ID) })},
	{"ends an id at its first colon", onItem(func(it *queue.Item) { it.ID, _, _ = strings.Cut(it.ID, ":") })},
}

func replace(out []queue.Outcome, old, is queue.Outcome) {
	for i := range out {
		if out[i] == old {
			out[i] = is
		}
	}
}

var claimMutants = []Mutant{
	{"claims one too many", onExchange(func(x *queue.Exchange) { x.Claim++ })},
	{"claims nothing while it settles", onExchange(func(x *queue.Exchange) {
		if len(x.Settle) > 0 {
			x.Claim = 0
		}
	})},
	{"claims in another order", onReply(func(r *queue.Reply) { slices.Reverse(r.Leases) })},
	{"hands an item to two", tamper(func(t *tampered) {
		var given memory[string, queue.Lease]
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			r, err := t.Driver.Exchange(ctx, x)
			if last, ok := given.get("last"); ok && err == nil && x.Claim > 0 && len(r.Leases) == 0 {
				r.Leases = []queue.Lease{last}
			}
			for _, l := range r.Leases {
				given.set("last", l)
			}
			return r, err
		}
	})},
	{"counts attempts from 0", onLease(func(l *queue.Lease) { l.Attempt-- })},
	{"calls every attempt the first", onLease(func(l *queue.Lease) { l.Attempt = 1 })},
	{"does not say how long a lease lasts", onLease(func(l *queue.Lease) { l.TTL = 0 })},
	{"forgets what was committed", onLease(func(l *queue.Lease) { l.Committed = nil })},
	{"forgets what was committed when a person retries", tamper(func(t *tampered) {
		var retried memory[string, bool]
		t.changeItems = func(ctx context.Context, v queue.ItemVerb, ids []string) ([]error, error) {
			for _, id := range ids {
				retried.set(id, v == queue.RetryItem)
			}
			return t.Driver.ChangeItems(ctx, v, ids)
		}
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			r, err := t.Driver.Exchange(ctx, x)
			for i := range r.Leases {
				if forgot, _ := retried.get(r.Leases[i].Item.ID); forgot {
					r.Leases[i].Committed = nil
				}
			}
			return r, err
		}
	})},
	{"numbers tokens from 1 for each item", tokens(func(l queue.Lease, _ int) uint64 { return uint64(l.Attempt) })},
	{"numbers tokens from 1, not by the clock", tokens(func(_ queue.Lease, n int) uint64 { return uint64(n) })},
}

// tokens shows other tokens than those of the store.
func tokens(f func(l queue.Lease, n int) uint64) func(queue.Driver) queue.Driver {
	type key struct {
		id    string
		token uint64
	}
	return tamper(func(t *tampered) {
		var stored memory[key, queue.Lease]
		own := func(l queue.Lease) queue.Lease {
			was, _ := stored.get(key{l.Item.ID, l.Token})
			return was
		}
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			x.Settle = slices.Clone(x.Settle)
			for i := range x.Settle {
				x.Settle[i].Lease = own(x.Settle[i].Lease)
			}
			r, err := t.Driver.Exchange(ctx, x)
			for i, l := range r.Leases {
				token := f(l, len(stored.keys())+1)
				r.Leases[i].Token = token
				stored.set(key{l.Item.ID, token}, l)
			}
			return r, err
		}
	})
}

var settleMutants = []Mutant{
	{"drops results", onSettle(func(s *queue.Settlement) { s.Result = nil })},
	{"drops failures", onSettle(func(s *queue.Settlement) { s.Failure = queue.Failure{} })},
	{"drops exit codes", onSettle(func(s *queue.Settlement) { s.Failure.ExitCode = 0 })},
	{"retries at once", onSettle(func(s *queue.Settlement) {
		if s.Verb == queue.Nack && s.After == 0 {
			s.After = shortest
		}
	})},
	{"retries without jitter", retryAfter(func(p queue.Policy, n int) time.Duration {
		return min(p.RetryDelay<<n, p.RetryDelayMax)
	})},
	{"retries after the same delay each time", retryAfter(func(p queue.Policy, _ int) time.Duration { return p.RetryDelay })},
	{"doubles the retry delay without limit", retryAfter(func(p queue.Policy, n int) time.Duration { return p.RetryDelay << n })},
	{"knows no delay of a nack's own", onSettle(func(s *queue.Settlement) {
		if s.Verb == queue.Nack {
			s.After = 0
		}
	})},
	{"knows no delay of a release's own", onSettle(func(s *queue.Settlement) {
		if s.Verb == queue.Release {
			s.After = 0
		}
	})},
	{"knows no backoff of a release", onSettle(func(s *queue.Settlement) { s.Backoff = false })},
	{"counts what was never started", onSettle(func(s *queue.Settlement) { s.Unstarted = false })},
	{"delays the first release", onSettle(func(s *queue.Settlement) { s.Backoff = s.Verb == queue.Release })},
	{"releases at once each time", tamper(func(t *tampered) {
		var known memory[string, int]
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			x.Settle = slices.Clone(x.Settle)
			for i, s := range x.Settle {
				if n, _ := known.get(s.Lease.Item.ID); s.Verb == queue.Release && s.After == 0 && n > 0 {
					x.Settle[i].After = shortest
				}
				known.set(s.Lease.Item.ID, 1)
			}
			return t.Driver.Exchange(ctx, x)
		}
	})},
	{"counts a release as an attempt", onSettle(func(s *queue.Settlement) {
		if s.Verb == queue.Release {
			s.Verb, s.After = queue.Nack, shortest
		}
	})},
	{"counts a nack as a release", onSettle(func(s *queue.Settlement) {
		if s.Verb == queue.Nack {
			s.Verb, s.Backoff = queue.Release, true
		}
	})},
	{"retries what is buried", onSettle(func(s *queue.Settlement) {
		if s.Verb == queue.Bury {
			s.Verb = queue.Nack
		}
	})},
	{"buries what is nacked", onSettle(func(s *queue.Settlement) {
		if s.Verb == queue.Nack {
			s.Verb = queue.Bury
		}
	})},
	{"ends the leases of every worker", tamper(func(t *tampered) {
		var workers memory[string, bool]
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			workers.set(x.Worker, true)
			return t.Driver.Exchange(ctx, x)
		}
		t.expire = func(ctx context.Context, worker string, f queue.Failure) (int, error) {
			n, err := t.Driver.Expire(ctx, worker, f)
			for _, w := range workers.keys() {
				if _, e := t.Driver.Expire(ctx, w, f); e != nil {
					err = e
				}
			}
			return n, err
		}
	})},
	{"lets a dead worker go on", tamper(func(t *tampered) {
		var dead memory[string, bool]
		t.expire = func(ctx context.Context, worker string, f queue.Failure) (int, error) {
			dead.set(worker, true)
			return t.Driver.Expire(ctx, worker, f)
		}
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			if again, _ := dead.get(x.Worker); again {
				x.Worker += "-again"
			}
			return t.Driver.Exchange(ctx, x)
		}
	})},
	{"ends no lease of a dead worker", tamper(func(t *tampered) {
		t.expire = func(context.Context, string, queue.Failure) (int, error) { return 0, nil }
	})},
	{"counts an attempt that was interrupted", tamper(func(t *tampered) {
		t.expire = func(ctx context.Context, worker string, f queue.Failure) (int, error) {
			if f.Cause == queue.CauseInterrupted {
				f.Cause = queue.CauseLeaseExpired
			}
			return t.Driver.Expire(ctx, worker, f)
		}
	})},
	{"lists an interrupted worker as dead", tamper(func(t *tampered) {
		t.expire = func(ctx context.Context, worker string, f queue.Failure) (int, error) {
			n, err := t.Driver.Expire(ctx, worker, f)
			if err == nil && f.Cause == queue.CauseInterrupted {
				_, err = t.Driver.Expire(ctx, worker, queue.Failure{Cause: queue.CauseKilled})
			}
			return n, err
		}
	})},
	{"forgets why a worker died", tamper(func(t *tampered) {
		t.expire = func(ctx context.Context, worker string, _ queue.Failure) (int, error) {
			return t.Driver.Expire(ctx, worker, queue.Failure{Cause: queue.CauseLeaseExpired})
		}
	})},
}

// retryAfter delays the nth retry (from 0) as f says.
func retryAfter(f func(p queue.Policy, n int) time.Duration) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.exchange = func(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
			p, err := t.Driver.SetPolicy(ctx, queue.Policy{}, false)
			if err != nil {
				return queue.Reply{}, err
			}
			x.Settle = slices.Clone(x.Settle)
			for i, s := range x.Settle {
				if s.Verb == queue.Nack && s.After == 0 {
					x.Settle[i].After = f(p, s.Lease.Attempt-1)
				}
			}
			return t.Driver.Exchange(ctx, x)
		}
	})
}

var policyMutants = []Mutant{
	{"lets the last statement win", tamper(func(t *tampered) {
		t.setPolicy = func(ctx context.Context, p queue.Policy, _ bool) (queue.Policy, error) {
			return t.Driver.SetPolicy(ctx, p, true)
		}
	})},
	{"cannot be forced", tamper(func(t *tampered) {
		t.setPolicy = func(ctx context.Context, p queue.Policy, _ bool) (queue.Policy, error) {
			return t.Driver.SetPolicy(ctx, p, false)
		}
	})},
	{"does not say what a statement conflicts with", tamper(func(t *tampered) {
		t.setPolicy = func(ctx context.Context, p queue.Policy, force bool) (queue.Policy, error) {
			p, err := t.Driver.SetPolicy(ctx, p, force)
			if err != nil {
				err = errors.New("conflict")
			}
			return p, err
		}
	})},
	{"keeps a conflict to itself", tamper(func(t *tampered) {
		t.setPolicy = func(ctx context.Context, p queue.Policy, force bool) (queue.Policy, error) {
			if in, err := t.Driver.SetPolicy(ctx, p, force); err == nil {
				return in, nil
			}
			return t.Driver.SetPolicy(ctx, queue.Policy{}, false)
		}
	})},
	{"states what comes before a conflict", tamper(func(t *tampered) {
		t.setPolicy = func(ctx context.Context, p queue.Policy, force bool) (queue.Policy, error) {
			in, err := t.Driver.SetPolicy(ctx, p, force)
			if err != nil {
				rest := p
				rest.Lease = 0
				_, _ = t.Driver.SetPolicy(ctx, rest, false) // a conflict here is in err already
			}
			return in, err
		}
	})},
	{"takes a limit of 0 for no statement", tamper(func(t *tampered) {
		t.setPolicy = func(ctx context.Context, p queue.Policy, force bool) (queue.Policy, error) {
			if p.BackoffLimit != nil && *p.BackoffLimit == 0 {
				p.BackoffLimit = nil
			}
			return t.Driver.SetPolicy(ctx, p, force)
		}
	})},
	{"states the default for whoever states anything", tamper(func(t *tampered) {
		t.setPolicy = func(ctx context.Context, p queue.Policy, force bool) (queue.Policy, error) {
			in, err := t.Driver.SetPolicy(ctx, p, force)
			if err == nil && p != (queue.Policy{}) {
				in, err = t.Driver.SetPolicy(ctx, in, false)
			}
			return in, err
		}
	})},
}
