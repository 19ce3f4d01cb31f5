package natsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
)

// once is a change that must not happen again, and what shows whether it did.
type once struct {
	name   string
	before func(ctx context.Context, d *natsqueue.Driver) error
	change func(ctx context.Context, d *natsqueue.Driver) error // fails if the answer is not the first one's
	lead   func(ctx context.Context, d *natsqueue.Driver) error // by which the second leader comes to lead
	undo   func(ctx context.Context, d *natsqueue.Driver) error
	undone func(ctx context.Context, d *natsqueue.Driver) (bool, error)
}

func changes() []once {
	return []once{
		{
			name:   "pause",
			change: func(ctx context.Context, d *natsqueue.Driver) error { return d.Pause(ctx, true) },
			undo:   func(ctx context.Context, d *natsqueue.Driver) error { return d.Pause(ctx, false) },
			undone: func(ctx context.Context, d *natsqueue.Driver) (bool, error) {
				depth, err := d.Depth(ctx)
				return !depth.Paused, err
			},
		}, {
			name:   "pause that changed nothing",
			before: func(ctx context.Context, d *natsqueue.Driver) error { return d.Pause(ctx, true) },
			change: func(ctx context.Context, d *natsqueue.Driver) error { return d.Pause(ctx, true) },
			undo:   func(ctx context.Context, d *natsqueue.Driver) error { return d.Pause(ctx, false) },
			undone: func(ctx context.Context, d *natsqueue.Driver) (bool, error) {
				depth, err := d.Depth(ctx)
				return !depth.Paused, err
			},
		}, {
			name:   "policy",
			change: func(ctx context.Context, d *natsqueue.Driver) error { return lease(ctx, d, time.Minute) },
			undo:   func(ctx context.Context, d *natsqueue.Driver) error { return lease(ctx, d, time.Hour) },
			undone: func(ctx context.Context, d *natsqueue.Driver) (bool, error) {
				p, err := d.SetPolicy(ctx, queue.Policy{}, false)
				return p.Lease == time.Hour, err
			},
		}, {
			name:   "open batch",
			change: func(ctx context.Context, d *natsqueue.Driver) error { return d.OpenBatch(ctx, queue.Batch{Name: "b"}) },
			undo:   deleteBatch,
			undone: noBatch,
		}, {
			name: "refused batch",
			change: func(ctx context.Context, d *natsqueue.Driver) error {
				return refusal(d.OpenBatch(ctx, queue.Batch{Name: "b", After: "a"}), queue.ErrNotFound)
			},
			undo:   func(ctx context.Context, d *natsqueue.Driver) error { return d.Seal(ctx, "a") },
			undone: noBatch,
		}, {
			name:   "seal",
			change: func(ctx context.Context, d *natsqueue.Driver) error { return d.Seal(ctx, "b") },
			undo:   deleteBatch,
			undone: noBatch,
		}, {
			name:   "suspend",
			before: func(ctx context.Context, d *natsqueue.Driver) error { return d.OpenBatch(ctx, queue.Batch{Name: "b"}) },
			change: func(ctx context.Context, d *natsqueue.Driver) error {
				return d.ChangeBatch(ctx, "b", queue.SuspendBatch)
			},
			undo: func(ctx context.Context, d *natsqueue.Driver) error {
				return d.ChangeBatch(ctx, "b", queue.ResumeBatch)
			},
			undone: func(ctx context.Context, d *natsqueue.Driver) (bool, error) {
				all, err := d.Batches(ctx)
				return len(all) == 1 && !all[0].Suspended, err
			},
		}, {
			name:   "delete item",
			before: addItem,
			change: func(ctx context.Context, d *natsqueue.Driver) error {
				errs, err := d.ChangeItems(ctx, queue.DeleteItem, []string{"a"})
				return errors.Join(append(errs, err)...)
			},
			undo: addItem,
			undone: func(ctx context.Context, d *natsqueue.Driver) (bool, error) {
				depth, err := d.Depth(ctx)
				return depth.Ready == 1, err
			},
		}, {
			name: "expire",
			before: func(ctx context.Context, d *natsqueue.Driver) error {
				return errors.Join(lease(ctx, d, time.Hour), addItem(ctx, d), claim(ctx, d, "w"))
			},
			change: func(ctx context.Context, d *natsqueue.Driver) error {
				n, err := d.Expire(ctx, "w", queue.Failure{Cause: queue.CauseKilled})
				if n != 1 {
					err = errors.Join(err, fmt.Errorf("%d leases ended, want 1", n))
				}
				return err
			},
			undo: func(ctx context.Context, d *natsqueue.Driver) error {
				errs, err := d.ChangeItems(ctx, queue.DeleteItem, []string{"a"})
				return errors.Join(append(errs, err, addItem(ctx, d), claim(ctx, d, "another"))...)
			},
			undone: func(ctx context.Context, d *natsqueue.Driver) (bool, error) {
				depth, err := d.Depth(ctx)
				return depth.Leased == 1, err
			},
		}, {
			name:   "leave",
			change: leave,
			lead:   addItem, // with which one that had not left may not
			undone: func(ctx context.Context, d *natsqueue.Driver) (bool, error) {
				r, err := d.Exchange(ctx, queue.Exchange{Worker: "w", Seq: 1, Claim: 1})
				return r.Gone, err
			},
		},
	}
}

// A leader dies when a change is stored and before its client is told. The next
// one answers as the first would have; and when that one dies too, after the
// change was undone, and the question comes once more, a third leader does not do
// it again.
func TestAChangeOfLeaderExecutesNothingTwice(t *testing.T) {
	t.Parallel()
	url := natstest.Start(t).URL()
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			client := func(hook func(string) bool) *natsqueue.Driver {
				d := open(t, url, natsqueue.Options{Queue: "q-" + fmt.Sprintf("%x", c.name)})
				d.Hook(hook, 0)
				return d
			}
			var armed atomic.Bool
			died := make(chan struct{})
			first := client(func(at string) bool {
				if at != "stored" || !armed.CompareAndSwap(true, false) {
					return false
				}
				close(died)
				return true
			})
			second, third := client(nil), client(nil)
			asker := client(func(at string) bool { return at == "standing" }) // and is never elected
			if _, err := first.SetPolicy(ctx, queue.Policy{}, false); err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				if err := c.before(ctx, asker); err != nil {
					t.Fatal(err)
				}
			}
			if !first.Leads() {
				t.Fatal("another than the first client leads")
			}
			var late func()
			asker.Asked(func(again func()) { late = again })
			armed.Store(true)
			changed := make(chan error)
			go func() { changed <- c.change(ctx, asker) }()
			select {
			case <-died:
			case <-ctx.Done():
				t.Fatal("the leader does not die")
			}
			if c.lead == nil {
				c.lead = glance
			}
			lead(ctx, t, second, c.lead)
			if err := <-changed; err != nil {
				t.Fatalf("the answer of the second leader: %v", err)
			}
			if c.undo != nil {
				if err := c.undo(ctx, second); err != nil {
					t.Fatal(err)
				}
			}
			second.Kill()
			lead(ctx, t, third, glance)
			late()
			if undone, err := c.undone(ctx, asker); err != nil || !undone {
				t.Errorf("what was undone happened again (%v)", err)
			}
		})
	}
}

// lead has a client become the leader of a queue that has none.
func lead(ctx context.Context, t *testing.T, d *natsqueue.Driver, by func(context.Context, *natsqueue.Driver) error) {
	t.Helper()
	if err := by(ctx, d); err != nil || !d.Leads() {
		t.Fatalf("a client that should lead does not: %v", err)
	}
}

func glance(ctx context.Context, d *natsqueue.Driver) error {
	_, err := d.Depth(ctx)
	return err
}

func lease(ctx context.Context, d *natsqueue.Driver, l time.Duration) error {
	_, err := d.SetPolicy(ctx, queue.Policy{Lease: l}, true)
	return err
}

func addItem(ctx context.Context, d *natsqueue.Driver) error {
	_, err := d.Enqueue(ctx, []queue.Item{{ID: "a"}})
	return err
}

func claim(ctx context.Context, d *natsqueue.Driver, worker string) error {
	r, err := d.Exchange(ctx, queue.Exchange{Worker: worker, Seq: 1, Claim: 1})
	if err == nil && len(r.Leases) != 1 {
		err = fmt.Errorf("%d leases, want 1", len(r.Leases))
	}
	return err
}

func leave(ctx context.Context, d *natsqueue.Driver) error {
	ok, err := d.Leave(ctx, "w", 0)
	if err == nil && !ok {
		err = errors.New("a worker may not leave")
	}
	return err
}

func deleteBatch(ctx context.Context, d *natsqueue.Driver) error {
	return d.ChangeBatch(ctx, "b", queue.DeleteBatch)
}

func noBatch(ctx context.Context, d *natsqueue.Driver) (bool, error) {
	all, err := d.Batches(ctx)
	for _, b := range all {
		if b.Name == "b" {
			return false, err
		}
	}
	return true, err
}

// refusal is nil if an error is the one that is wanted.
func refusal(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("error %w, want %w", err, want)
}
