package queuetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"sluice.dev/queue"
)

// Writer does whatever can be done to a queue, at random. A backend's own tests
// have many of them at once and look, when they rest, whether what the store
// holds is still of a piece. It is used by one goroutine at a time.
type Writer struct {
	Driver queue.Driver
	Rand   *rand.Rand
	Worker string // that claims; when it is dead, another one with a number behind it
	// Passing has delays and deadlines that end while the test looks. Without
	// it time changes nothing, if the queue's policy is as patient.
	Passing bool

	life int
	seq  uint64
	held []queue.Lease // the ones that ended, too
}

// Step does one thing. What the state of the queue forbids is no error.
func (w *Writer) Step(ctx context.Context) error {
	what, err := w.step(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (w *Writer) step(ctx context.Context) (what string, err error) {
	switch n := w.Rand.IntN(100); {
	case n < 30:
		return "enqueue", w.enqueue(ctx)
	case n < 65:
		return "exchange", w.exchange(ctx)
	case n < 70:
		_, err := w.Driver.Extend(ctx, lived(w.Worker, w.life), []queue.Lease{w.lease(), w.lease()})
		return "extend", err
	case n < 74:
		return "commit", expected(w.Driver.Commit(ctx, w.lease(), []byte("record")))
	case n < 77:
		_, err := w.Driver.Expire(ctx, lived(fmt.Sprint("w", w.Rand.IntN(8)), w.life-w.Rand.IntN(2)), queue.Failure{Cause: queue.CauseKilled})
		return "expire", err
	case n < 87:
		return "change items", w.changeItems(ctx)
	case n < 96:
		return "change batch", w.changeBatch(ctx)
	case n < 97:
		return "seal", w.Driver.Seal(ctx, w.batch())
	case n < 99:
		return "pause", w.Driver.Pause(ctx, w.Rand.IntN(3) == 0)
	default:
		_, err := w.Driver.Leave(ctx, fmt.Sprint("gone-", w.Rand.IntN(3)), 0)
		return "leave", err
	}
}

// expected takes the refusals that a random step must expect.
func expected(err error) error {
	if _, wrong := errors.AsType[*queue.WrongState](err); wrong {
		return nil
	}
	for _, e := range []error{queue.ErrLeaseLost, queue.ErrNotFound, queue.ErrCommitted} {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}

// lived is the name of a worker that comes in the place of so many dead ones.
func lived(worker string, lives int) string { return fmt.Sprint(worker, "-", lives) }

func (w *Writer) id() string    { return fmt.Sprint("item-", w.Rand.IntN(400)) }
func (w *Writer) batch() string { return fmt.Sprint("batch-", w.Rand.IntN(6)) }

// lease is one that was had, or nobody's.
func (w *Writer) lease() queue.Lease {
	if len(w.held) == 0 {
		return queue.Lease{Item: queue.Item{ID: w.id()}, Token: 1, Ref: "none"}
	}
	return w.held[w.Rand.IntN(len(w.held))]
}

func (w *Writer) enqueue(ctx context.Context) error {
	items := make([]queue.Item, 1+w.Rand.IntN(6))
	for i := range items {
		it := queue.Item{ID: w.id(), Batch: w.batch(), Priority: w.Rand.IntN(10), Payload: []byte{byte(w.Rand.IntN(2))}}
		if w.Rand.IntN(4) == 0 {
			it.Delay = time.Hour
			if w.Passing {
				it.Delay = []time.Duration{time.Millisecond, 20 * time.Millisecond, time.Hour}[w.Rand.IntN(3)]
			}
		}
		if w.Rand.IntN(4) == 0 {
			it.Output = fmt.Sprint("out-", w.Rand.IntN(100))
		}
		items[i] = it
	}
	_, err := w.Driver.Enqueue(ctx, items)
	return err
}

func (w *Writer) exchange(ctx context.Context) error {
	x := queue.Exchange{Worker: lived(w.Worker, w.life), Claim: w.Rand.IntN(8)}
	for range w.Rand.IntN(8) {
		s := queue.Settlement{Lease: w.lease(), Verb: queue.Verb(1 + w.Rand.IntN(4))}
		if w.Passing {
			s.After = time.Duration(w.Rand.IntN(2)) * time.Millisecond
		}
		x.Settle = append(x.Settle, s)
	}
	if w.Rand.IntN(10) > 0 { // else the last one again
		w.seq++
	}
	x.Seq = max(w.seq, 1)
	r, err := w.Driver.Exchange(ctx, x)
	if r.Gone {
		w.life++
	}
	w.held = append(w.held, r.Leases...)
	w.held = w.held[max(0, len(w.held)-20):]
	return err
}

func (w *Writer) changeItems(ctx context.Context) error {
	v := []queue.ItemVerb{queue.RetryItem, queue.CancelItem, queue.DeleteItem}[w.Rand.IntN(3)]
	errs, err := w.Driver.ChangeItems(ctx, v, []string{w.id(), w.id(), w.id()})
	for _, e := range errs {
		err = errors.Join(err, expected(e))
	}
	return err
}

// changeBatch changes a batch, and opens it again where it deleted it.
func (w *Writer) changeBatch(ctx context.Context) error {
	v := []queue.BatchVerb{queue.SuspendBatch, queue.ResumeBatch, queue.ResumeBatch, queue.CancelBatch, queue.DeleteBatch, queue.DeleteBatch}[w.Rand.IntN(6)]
	b := queue.Batch{Name: w.batch(), After: w.batch()}
	err := w.Driver.ChangeBatch(ctx, b.Name, v)
	if v != queue.DeleteBatch || errors.Is(err, queue.ErrUnavailable) {
		return expected(err)
	}
	if w.Passing && w.Rand.IntN(4) == 0 {
		b.Deadline = time.Duration(w.Rand.IntN(50)) * time.Millisecond
	}
	if err := w.Driver.OpenBatch(ctx, b); errors.Is(err, queue.ErrUnavailable) {
		return err
	}
	return nil // others may wait for it, or it for itself
}
