package queuetest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"sluice.dev/queue"
)

var steerMutants = []Mutant{
	{"cannot suspend", dropVerb(queue.SuspendBatch)},
	{"cannot resume", dropVerb(queue.ResumeBatch)},
	{"cannot cancel a batch", dropVerb(queue.CancelBatch)},
	{"cannot delete a batch", dropVerb(queue.DeleteBatch)},
	{"cancels what it is to delete", otherVerb(queue.DeleteBatch, queue.CancelBatch)},
	{"deletes what it is to cancel", otherVerb(queue.CancelBatch, queue.DeleteBatch)},
	{"suspends what it is to cancel", otherVerb(queue.CancelBatch, queue.SuspendBatch)},
	{"takes a batch that it does not know for changed", tamper(func(t *tampered) {
		t.changeBatch = func(ctx context.Context, name string, v queue.BatchVerb) error {
			if err := t.Driver.ChangeBatch(ctx, name, v); !errors.Is(err, queue.ErrNotFound) {
				return err
			}
			return nil
		}
	})},
	{"deletes a batch that publishes", tamper(func(t *tampered) {
		t.changeBatch = func(ctx context.Context, name string, v queue.BatchVerb) error {
			err := t.Driver.ChangeBatch(ctx, name, v)
			if errors.Is(err, queue.ErrCommitted) {
				return t.Driver.ChangeBatch(ctx, name, queue.CancelBatch)
			}
			return err
		}
	})},
	{"blocks nothing", tamper(func(t *tampered) {
		t.openBatch = func(ctx context.Context, b queue.Batch) error {
			b.After = ""
			return t.Driver.OpenBatch(ctx, b)
		}
	})},
	{"knows no deadline", tamper(func(t *tampered) {
		t.openBatch = func(ctx context.Context, b queue.Batch) error {
			b.Deadline = 0
			return t.Driver.OpenBatch(ctx, b)
		}
	})},
	{"blocks on what nobody knows", tamper(func(t *tampered) {
		t.openBatch = func(ctx context.Context, b queue.Batch) error {
			err := t.Driver.OpenBatch(ctx, b)
			if errors.Is(err, queue.ErrNotFound) {
				return t.Driver.OpenBatch(ctx, queue.Batch{Name: b.Name})
			}
			return err
		}
	})},
	{"lets a batch be opened for something else", tamper(func(t *tampered) {
		t.openBatch = func(ctx context.Context, b queue.Batch) error {
			err := t.Driver.OpenBatch(ctx, b)
			if err != nil && !errors.Is(err, queue.ErrNotFound) && b.Name != b.After && ctx.Err() == nil {
				return nil
			}
			return err
		}
	})},
	{"lets a batch be opened with another deadline", tamper(func(t *tampered) {
		t.openBatch = func(ctx context.Context, b queue.Batch) error {
			err := t.Driver.OpenBatch(ctx, b)
			if err != nil && !errors.Is(err, queue.ErrNotFound) && b.Deadline != 0 {
				b.Deadline = 0
				return t.Driver.OpenBatch(ctx, b)
			}
			return err
		}
	})},
	{"refuses to open a batch again", tamper(func(t *tampered) {
		var opened memory[string, bool]
		t.openBatch = func(ctx context.Context, b queue.Batch) error {
			if _, ok := opened.get(b.Name); ok {
				return errors.New("open already")
			}
			opened.set(b.Name, true)
			return t.Driver.OpenBatch(ctx, b)
		}
	})},
	{"does not count what is held in a batch", onBatch(func(b *queue.BatchInfo) { b.Depth.Held = 0 })},
	{"does not say why a batch was cancelled", onBatch(func(b *queue.BatchInfo) { b.Reason = "" })},
	{"does not say that a batch is suspended", onBatch(func(b *queue.BatchInfo) { b.Suspended = false })},
	{"does not say that a batch is cancelled", onBatch(func(b *queue.BatchInfo) { b.Cancelled = false })},
	{"does not say what a batch waits for", onBatch(func(b *queue.BatchInfo) { b.After = "" })},
	{"does not know a batch's age", onBatch(func(b *queue.BatchInfo) { b.Age = 0 })},
	{"does not know a batch's deadline", onBatch(func(b *queue.BatchInfo) { b.Deadline = 0 })},
	{"counts what is blocked as ready", onDepth(func(d *queue.Depth) { d.Ready, d.Blocked = d.Ready+d.Blocked, 0 })},
	{"does not count what is cancelled", onDepth(func(d *queue.Depth) { d.Cancelled = 0 })},
	{"does not count what is held", onDepth(func(d *queue.Depth) { d.Held = 0 })},
	{"lists no cancelled item", tamper(func(t *tampered) {
		t.items = func(ctx context.Context, q queue.Query) ([]queue.Record, error) {
			rs, err := t.Driver.Items(ctx, q)
			return slices.DeleteFunc(rs, func(r queue.Record) bool { return r.State == queue.Cancelled }), err
		}
	})},
}

// dropVerb does nothing for a verb but look whether the batch is known.
func dropVerb(v queue.BatchVerb) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.changeBatch = func(ctx context.Context, name string, is queue.BatchVerb) error {
			if is != v {
				return t.Driver.ChangeBatch(ctx, name, is)
			}
			all, err := t.Driver.Batches(ctx)
			if err == nil && !slices.ContainsFunc(all, func(b queue.BatchInfo) bool { return b.Name == name }) {
				err = queue.ErrNotFound
			}
			return err
		}
	})
}

// otherVerb does one verb for another.
func otherVerb(v, other queue.BatchVerb) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.changeBatch = func(ctx context.Context, name string, is queue.BatchVerb) error {
			if is == v {
				is = other
			}
			return t.Driver.ChangeBatch(ctx, name, is)
		}
	})
}

var operateMutants = []Mutant{
	{"cancels what it is to delete, item by item", onItemVerb(func(v queue.ItemVerb) queue.ItemVerb {
		if v == queue.DeleteItem {
			return queue.CancelItem
		}
		return v
	})},
	{"deletes what it is to cancel, item by item", onItemVerb(func(v queue.ItemVerb) queue.ItemVerb {
		if v == queue.CancelItem {
			return queue.DeleteItem
		}
		return v
	})},
	{"retries nothing", tamper(func(t *tampered) {
		t.changeItems = func(ctx context.Context, v queue.ItemVerb, ids []string) ([]error, error) {
			if v == queue.RetryItem {
				return make([]error, len(ids)), ctx.Err()
			}
			return t.Driver.ChangeItems(ctx, v, ids)
		}
	})},
	{"mixes up the answers of a change", onAnswers(slices.Reverse[[]error])},
	{"says that every change was done", onAnswers(func(errs []error) { clear(errs) })},
	{"calls every refusal not found", onAnswers(func(errs []error) {
		for i := range errs {
			if errs[i] != nil {
				errs[i] = queue.ErrNotFound
			}
		}
	})},
	{"does not say what is committed", onAnswers(func(errs []error) {
		for i := range errs {
			if errors.Is(errs[i], queue.ErrCommitted) {
				errs[i] = &queue.WrongState{State: queue.Leased}
			}
		}
	})},
	{"does not say which state forbids a change", onAnswers(func(errs []error) {
		for i := range errs {
			if w, ok := errors.AsType[*queue.WrongState](errs[i]); ok {
				w.State = queue.Dead
			}
		}
	})},
	{"fails a whole change for one item", tamper(func(t *tampered) {
		t.changeItems = func(ctx context.Context, v queue.ItemVerb, ids []string) ([]error, error) {
			errs, err := t.Driver.ChangeItems(ctx, v, ids)
			if len(errs) > 1 && err == nil {
				err = errors.Join(errs...)
			}
			return errs, err
		}
	})},
	{"cannot be paused", tamper(func(t *tampered) {
		t.pause = func(ctx context.Context, _ bool) error { return ctx.Err() }
	})},
	{"does not go on after a pause", tamper(func(t *tampered) {
		t.pause = func(ctx context.Context, _ bool) error { return t.Driver.Pause(ctx, true) }
	})},
	{"wakes those who wait for a paused queue", tamper(func(t *tampered) {
		var paused atomic.Bool
		t.pause = func(ctx context.Context, p bool) error {
			paused.Store(p)
			return t.Driver.Pause(ctx, p)
		}
		t.wait = func(ctx context.Context, worker string, limit time.Duration) error {
			if paused.Load() {
				limit = shortest
			}
			return t.Driver.Wait(ctx, worker, limit)
		}
	})},
	{"lists no worker", onWorkers(func([]queue.WorkerInfo) []queue.WorkerInfo { return nil })},
	{"lists workers without their leases", onEachWorker(func(w *queue.WorkerInfo) { w.Leases = 0 })},
	{"lists workers as just seen", onEachWorker(func(w *queue.WorkerInfo) { w.Seen = 0 })},
	{"lists workers as still there", onEachWorker(func(w *queue.WorkerInfo) { w.Gone = false })},
	{"sleeps through what a watch is for", tamper(func(t *tampered) {
		t.watch = func(ctx context.Context, limit time.Duration) error {
			select {
			case <-time.After(limit):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})},
	{"watches without a break", tamper(func(t *tampered) {
		t.watch = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	})},
	{"watches past the limit", tamper(func(t *tampered) {
		t.watch = func(ctx context.Context, limit time.Duration) error { return t.Driver.Watch(ctx, limit+2*soon) }
	})},
	{"cannot be dropped", tamper(func(t *tampered) {
		t.drop = func(ctx context.Context) error { return ctx.Err() }
	})},
	{"keeps a dropped queue's policy", tamper(func(t *tampered) {
		t.drop = func(ctx context.Context) error {
			p, err := t.Driver.SetPolicy(ctx, queue.Policy{}, false)
			if err == nil {
				err = t.Driver.Drop(ctx)
			}
			if err == nil {
				_, err = t.Driver.SetPolicy(ctx, p, false)
			}
			return err
		}
	})},
}

// onItemVerb changes what is done to items.
func onItemVerb(f func(queue.ItemVerb) queue.ItemVerb) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.changeItems = func(ctx context.Context, v queue.ItemVerb, ids []string) ([]error, error) {
			return t.Driver.ChangeItems(ctx, f(v), ids)
		}
	})
}

// onAnswers changes what a change of items answers.
func onAnswers(f func([]error)) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.changeItems = func(ctx context.Context, v queue.ItemVerb, ids []string) ([]error, error) {
			errs, err := t.Driver.ChangeItems(ctx, v, ids)
			f(errs)
			return errs, err
		}
	})
}

// onWorkers changes the workers that are listed.
func onWorkers(f func([]queue.WorkerInfo) []queue.WorkerInfo) func(queue.Driver) queue.Driver {
	return tamper(func(t *tampered) {
		t.workers = func(ctx context.Context) ([]queue.WorkerInfo, error) {
			ws, err := t.Driver.Workers(ctx)
			return f(ws), err
		}
	})
}

func onEachWorker(f func(*queue.WorkerInfo)) func(queue.Driver) queue.Driver {
	return onWorkers(func(ws []queue.WorkerInfo) []queue.WorkerInfo {
		for i := range ws {
			f(&ws[i])
		}
		return ws
	})
}
