package queue

import (
	"context"
	"errors"
	"fmt"
)

// Limits of one call of the store. Enqueue splits what is larger.
const (
	MaxCallItems = 1000
	MaxCallBytes = 4 << 20
)

// Queue is a queue in a store: what programs use, where a Driver is what a
// store implements. It refuses bad input before the store sees it and gives
// workers their Sessions; the methods that need neither are the driver's own.
//
// It is safe for concurrent use. Only a Session repeats calls: an error that
// wraps ErrUnavailable comes back to the caller of any other method, who may
// try again, since every one of them may happen twice without harm.
type Queue struct{ Driver }

// New is the queue that a driver keeps. Closing the one closes the other.
func New(d Driver) *Queue { return &Queue{d} }

// Enqueue adds items in their order and returns one outcome for each.
//
// All items are checked first. If any is bad nothing is enqueued, and the
// error names each bad one by its index. More than MaxCallItems items or
// MaxCallBytes bytes go in several calls of the store; should one fail, the
// outcomes of those before it come back with the error, and the items of the
// failed call may be in the queue or not. Enqueueing everything again is safe:
// what was added is then a Duplicate.
func (q *Queue) Enqueue(ctx context.Context, items []Item) ([]Outcome, error) {
	var bad []error
	for i, it := range items {
		if err := it.Validate(); err != nil {
			bad = append(bad, fmt.Errorf("item %d: %w", i, err))
		}
	}
	if bad != nil {
		return nil, errors.Join(bad...)
	}
	outcomes := make([]Outcome, 0, len(items))
	for len(items) > 0 {
		n := callful(items)
		got, err := q.Driver.Enqueue(ctx, items[:n])
		if err != nil {
			return outcomes, fmt.Errorf("enqueue: %w", err)
		}
		outcomes = append(outcomes, got...)
		items = items[n:]
	}
	return outcomes, nil
}

// callful is how many of the items, at least one, go in one call.
func callful(items []Item) int {
	bytes := 0
	for i, it := range items {
		bytes += len(it.ID) + len(it.Payload) + len(it.Batch) + len(it.Output)
		if i == MaxCallItems || i > 0 && bytes > MaxCallBytes {
			return i
		}
	}
	return len(items)
}

// Seal says that nothing more joins a batch. Sealing twice is no error.
func (q *Queue) Seal(ctx context.Context, batch string) error {
	if err := ValidateName("batch", batch); err != nil {
		return err
	}
	return q.Driver.Seal(ctx, batch)
}

// SetPolicy states values of the policy, as Controller describes.
func (q *Queue) SetPolicy(ctx context.Context, p Policy, force bool) (Policy, error) {
	if err := p.Validate(); err != nil {
		return Policy{}, err
	}
	return q.Driver.SetPolicy(ctx, p, force)
}

// Expire ends every lease of a worker that is proven dead, as Controller
// describes.
func (q *Queue) Expire(ctx context.Context, worker string, f Failure) (int, error) {
	if err := ValidateWorker(worker); err != nil {
		return 0, err
	}
	return q.Driver.Expire(ctx, worker, f)
}
