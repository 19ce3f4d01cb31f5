package natsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
)

// Eight writers do whatever can be done to a queue, at random, while its leader
// writes snapshots. When they stop, which they do 15 times, the leader leaves:
// the next one, who knows the log alone, tells the same of every item, batch and
// worker, and the depth is what they add up to.
func TestWriters(t *testing.T) {
	t.Parallel()
	const writers, stops, steps = 8, 15, 60
	url := natstest.Start(t).URL()
	client := func() *natsqueue.Driver {
		d, err := natsqueue.New(t.Context(), connect(t, url), natsqueue.Options{Queue: "q"})
		if err != nil {
			t.Fatal(err)
		}
		d.Hook(nil, 10<<10)
		return d
	}
	// Time changes nothing while the test looks.
	d := client()
	_, err := d.SetPolicy(t.Context(), queue.Policy{Lease: time.Hour, RetryDelay: time.Hour, RetryDelayMax: time.Hour,
		BackoffLimit: new(2), DisruptionLimit: new(2)}, true)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*writer, writers)
	for i := range all {
		all[i] = &writer{r: rand.New(rand.NewPCG(uint64(i), 7)), name: fmt.Sprint("w", i)}
	}
	var seen queue.Depth
	for stop := range stops {
		var wg sync.WaitGroup
		for _, w := range all {
			w.d = d
			wg.Go(func() {
				for range steps {
					if err := w.step(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		before := look(t, d)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = client()
		after := look(t, d)
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("stop %d: the leader told of\n%+v\nand the next one of\n%+v", stop, before, after)
		}
		if counted := count(after); counted != after.depth {
			t.Fatalf("stop %d: depth is %+v, and there are %+v", stop, after.depth, counted)
		}
		for i, n := range []int64{after.depth.Blocked, after.depth.Delayed, after.depth.Ready, after.depth.Leased, after.depth.Done, after.depth.Dead, after.depth.Cancelled} {
			*[]*int64{&seen.Blocked, &seen.Delayed, &seen.Ready, &seen.Leased, &seen.Done, &seen.Dead, &seen.Cancelled}[i] += n
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if min(seen.Blocked, seen.Delayed, seen.Ready, seen.Leased, seen.Done, seen.Dead, seen.Cancelled) == 0 {
		t.Errorf("a state was never seen at a stop: %+v", seen)
	}
	t.Logf("%d steps of %d writers, %d stops; all that was seen at them: %+v", steps*stops*writers, writers, stops, seen)
}

// sight is all that a queue tells, without what time changes.
type sight struct {
	depth   queue.Depth
	records []queue.Record
	batches []queue.BatchInfo
	workers []queue.WorkerInfo
	policy  queue.Policy
}

func look(t *testing.T, d *natsqueue.Driver) (s sight) {
	t.Helper()
	var errs [5]error
	s.depth, errs[0] = d.Depth(t.Context())
	s.records, errs[1] = d.Items(t.Context(), queue.Query{States: queue.States})
	s.batches, errs[2] = d.Batches(t.Context())
	s.workers, errs[3] = d.Workers(t.Context())
	s.policy, errs[4] = d.SetPolicy(t.Context(), queue.Policy{}, false)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	s.depth.NextDue = 0
	for i := range s.records {
		s.records[i].Due = 0
	}
	for i := range s.batches {
		s.batches[i].Age = 0
	}
	for i := range s.workers {
		s.workers[i].Seen = 0
	}
	return s
}

func count(s sight) queue.Depth {
	d := queue.Depth{Paused: s.depth.Paused}
	suspended := map[string]bool{}
	for _, b := range s.batches {
		suspended[b.Name] = b.Suspended
	}
	for _, r := range s.records {
		*map[queue.State]*int64{queue.Blocked: &d.Blocked, queue.Delayed: &d.Delayed, queue.Ready: &d.Ready, queue.Leased: &d.Leased,
			queue.Done: &d.Done, queue.Dead: &d.Dead, queue.Cancelled: &d.Cancelled}[r.State]++
		if r.State == queue.Ready && (d.Paused || suspended[r.Item.Batch]) {
			d.Held++
		}
	}
	return d
}

type writer struct {
	d    *natsqueue.Driver
	r    *rand.Rand
	name string
	seq  uint64
	held []queue.Lease // the ones that ended, too
}

func (w *writer) id() string    { return fmt.Sprint("item-", w.r.IntN(300)) }
func (w *writer) batch() string { return fmt.Sprint("batch-", w.r.IntN(6)) }

func (w *writer) lease() queue.Lease {
	if len(w.held) == 0 {
		return queue.Lease{Item: queue.Item{ID: w.id()}, Token: 1}
	}
	return w.held[w.r.IntN(len(w.held))]
}

// step does one thing. What the state of the queue forbids is no error.
func (w *writer) step(ctx context.Context) error {
	switch n := w.r.IntN(100); {
	case n < 35:
		return w.enqueue(ctx)
	case n < 70:
		return w.exchange(ctx)
	case n < 74:
		_, err := w.d.Extend(ctx, w.name, []queue.Lease{w.lease(), w.lease()})
		return err
	case n < 77:
		return pass(w.d.Commit(ctx, w.lease(), []byte("record")))
	case n < 79:
		_, err := w.d.Expire(ctx, fmt.Sprint("w", w.r.IntN(8)), queue.Failure{Cause: queue.CauseKilled})
		return err
	case n < 88:
		v := []queue.ItemVerb{queue.RetryItem, queue.CancelItem, queue.DeleteItem}[w.r.IntN(3)]
		_, err := w.d.ChangeItems(ctx, v, []string{w.id(), w.id(), w.id()})
		return err
	case n < 96:
		v := []queue.BatchVerb{queue.SuspendBatch, queue.ResumeBatch, queue.ResumeBatch, queue.CancelBatch, queue.DeleteBatch}[w.r.IntN(5)]
		b := queue.Batch{Name: w.batch(), After: w.batch()}
		if err := w.d.ChangeBatch(ctx, b.Name, v); v != queue.DeleteBatch || errors.Is(err, queue.ErrUnavailable) {
			return pass(err)
		}
		if err := w.d.OpenBatch(ctx, b); errors.Is(err, queue.ErrUnavailable) {
			return err
		}
		return nil // others may wait for it, or it for itself
	case n < 97:
		return w.d.Seal(ctx, w.batch())
	case n < 99:
		return w.d.Pause(ctx, w.r.IntN(3) == 0)
	default:
		_, err := w.d.Leave(ctx, fmt.Sprint("gone-", w.r.IntN(3)), 0)
		return err
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
		if w.r.IntN(6) == 0 {
			it.Delay = time.Hour
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
		x.Settle = append(x.Settle, queue.Settlement{Lease: w.lease(), Verb: queue.Verb(1 + w.r.IntN(4))})
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
