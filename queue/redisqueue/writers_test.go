package redisqueue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
	"sluice.dev/queue/redisqueue"
)

// stepsVariable asks TestWriters for more steps than it takes by itself.
const stepsVariable = "SLUICE_TEST_STEPS"

// Eight writers do whatever can be done to a queue, at random. When they stop,
// which they do 200 times, the depth is what a scan of the store finds, for
// the queue and for each batch.
func TestWriters(t *testing.T) {
	t.Parallel()
	const writers, stops = 8, 200
	steps := stepsOf(t, 40_000)
	server := redistest.Start(t)
	d := open(t, server.URL(), "q")
	// Everything passes while the test looks: leases, delays, the retention.
	_, err := d.SetPolicy(t.Context(), queue.Policy{Lease: 200 * time.Millisecond, RetryDelay: 5 * time.Millisecond,
		RetryDelayMax: 20 * time.Millisecond, BackoffLimit: new(2), DisruptionLimit: new(4), Retention: 400 * time.Millisecond}, true)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*writer, writers)
	for i := range all {
		all[i] = &writer{d: open(t, server.URL(), "q"), r: rand.New(rand.NewPCG(uint64(i), 7)), name: fmt.Sprint("w", i)}
	}
	var seen queue.Depth
	for stop := range stops {
		var wg sync.WaitGroup
		for _, w := range all {
			wg.Go(func() {
				for range steps / stops / writers {
					if what, err := w.step(t.Context()); err != nil {
						t.Errorf("%s: %v", what, err)
						return
					}
				}
			})
		}
		wg.Wait()
		if add(&seen, checkDepth(t, d, server.Addr)); t.Failed() {
			t.Fatalf("at stop %d", stop)
		}
	}
	if min(seen.Blocked, seen.Delayed, seen.Ready, seen.Leased, seen.Done, seen.Dead, seen.Cancelled, seen.Held) == 0 {
		t.Errorf("a state was never seen at a stop: %+v", seen)
	}
	t.Logf("%d steps of %d writers, %d stops; all that was seen at them: %+v", steps, writers, stops, counts(seen))
}

type writer struct {
	d    *redisqueue.Driver
	r    *rand.Rand
	name string
	seq  uint64
	held []queue.Lease // the ones that ended, too
}

func (w *writer) id() string    { return fmt.Sprint("item-", w.r.IntN(400)) }
func (w *writer) batch() string { return fmt.Sprint("batch-", w.r.IntN(6)) }

func (w *writer) lease() queue.Lease {
	if len(w.held) == 0 {
		return queue.Lease{Ref: "none"}
	}
	return w.held[w.r.IntN(len(w.held))]
}

// step does one thing. What the state of the queue forbids is no error.
func (w *writer) step(ctx context.Context) (string, error) {
	switch n := w.r.IntN(100); {
	case n < 30:
		return "enqueue", w.enqueue(ctx)
	case n < 65:
		return "exchange", w.exchange(ctx)
	case n < 70:
		_, err := w.d.Extend(ctx, w.name, []queue.Lease{w.lease(), w.lease()})
		return "extend", err
	case n < 74:
		return "commit", pass(w.d.Commit(ctx, w.lease(), []byte("record")))
	case n < 77:
		_, err := w.d.Expire(ctx, fmt.Sprint("w", w.r.IntN(8)), queue.Failure{Cause: queue.CauseKilled})
		w.seq += 1000 // its number is forgotten with it
		return "expire", err
	case n < 87:
		v := []queue.ItemVerb{queue.RetryItem, queue.CancelItem, queue.DeleteItem}[w.r.IntN(3)]
		errs, err := w.d.ChangeItems(ctx, v, []string{w.id(), w.id(), w.id()})
		for _, e := range errs {
			if _, wrong := errors.AsType[*queue.WrongState](e); !wrong {
				err = errors.Join(err, pass(e))
			}
		}
		return string(v), err
	case n < 96:
		v := []queue.BatchVerb{queue.SuspendBatch, queue.ResumeBatch, queue.ResumeBatch, queue.CancelBatch, queue.DeleteBatch, queue.DeleteBatch}[w.r.IntN(6)]
		b := queue.Batch{Name: w.batch(), After: w.batch()}
		err := w.d.ChangeBatch(ctx, b.Name, v)
		if v != queue.DeleteBatch || errors.Is(err, queue.ErrUnavailable) {
			return string(v), pass(err)
		}
		if w.r.IntN(4) == 0 {
			b.Deadline = time.Duration(w.r.IntN(50)) * time.Millisecond
		}
		if err := w.d.OpenBatch(ctx, b); errors.Is(err, queue.ErrUnavailable) {
			return "open", err
		}
		return "delete and open", nil // others may wait for it, or it for itself
	case n < 97:
		return "seal", w.d.Seal(ctx, w.batch())
	case n < 99:
		return "pause", w.d.Pause(ctx, w.r.IntN(3) == 0)
	default:
		_, err := w.d.Leave(ctx, fmt.Sprint("gone-", w.r.IntN(3)), 0)
		return "leave", err
	}
}

// pass takes refusals that a random step must expect.
func pass(err error) error {
	for _, e := range []error{queue.ErrLeaseLost, queue.ErrNotFound, queue.ErrCommitted} {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}

func (w *writer) enqueue(ctx context.Context) error {
	items := make([]queue.Item, 1+w.r.IntN(6))
	for i := range items {
		it := queue.Item{ID: w.id(), Batch: w.batch(), Priority: w.r.IntN(10), Payload: []byte{byte(w.r.IntN(2))}}
		if w.r.IntN(4) == 0 {
			it.Delay = []time.Duration{time.Millisecond, 20 * time.Millisecond, time.Hour}[w.r.IntN(3)]
		}
		if w.r.IntN(4) == 0 {
			it.Output = fmt.Sprint("out-", w.r.IntN(100))
		}
		items[i] = it
	}
	_, err := w.d.Enqueue(ctx, items)
	return err
}

func (w *writer) exchange(ctx context.Context) error {
	x := queue.Exchange{Worker: w.name, Claim: w.r.IntN(8)}
	for range w.r.IntN(8) {
		x.Settle = append(x.Settle, queue.Settlement{Lease: w.lease(), Verb: queue.Verb(1 + w.r.IntN(4)), After: time.Duration(w.r.IntN(2)) * time.Millisecond})
	}
	if w.r.IntN(10) > 0 { // else the last one again
		w.seq++
	}
	x.Seq = max(w.seq, 1)
	r, err := w.d.Exchange(ctx, x)
	w.held = append(w.held, r.Leases...)
	w.held = w.held[max(0, len(w.held)-20):]
	return err
}

// stepsOf is how many steps to take: n, or what the environment says.
func stepsOf(t *testing.T, n int) int {
	t.Helper()
	v, ok := os.LookupEnv(stepsVariable)
	if !ok {
		return n
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1600 {
		t.Fatalf("%s is %q: a number of at least 1600 is allowed", stepsVariable, v)
	}
	return n
}
