package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice.dev/coordinator"
	"sluice.dev/producer"
	"sluice.dev/queue"
)

// feed enqueues the input and seals the batch.
func (r *run) feed(ctx context.Context) {
	queued := int64(0)
	report, err := producer.Enqueue(ctx, gate{r, kicker{&r.tally, r.loop, r.lineup}}, r.source, r.maker, producer.EnqueueOptions{
		Outputs: r.outputs(),
		Room: func(ctx context.Context, n int) error {
			for queued > ahead || r.lineup.full() {
				d, err := r.queue.Depth(ctx)
				if err != nil {
					return err
				}
				if queued = d.Ready; queued > ahead || r.lineup.full() {
					select {
					case <-time.After(look / 5):
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				}
			}
			queued += int64(n)
			return nil
		},
	})
	if err == nil {
		err = r.queue.Seal(ctx, batchName)
	}
	r.mu.Lock()
	r.report = report
	r.mu.Unlock()
	r.tally.sealed.Store(err == nil)
	switch {
	case err == nil:
		r.loop.Kick()
	case ctx.Err() == nil:
		code := exitUsage
		if _, store := errors.AsType[*producer.StoreError](err); store || errors.Is(err, queue.ErrUnavailable) {
			code = exitStore
		}
		r.end(ending{code: code, err: fmt.Errorf("%w\n%s were enqueued before; those that had started were finished", err, report)})
	}
}

// kicker tells the loop and the lineup of what it enqueues.
type kicker struct {
	*tally
	loop   *coordinator.Loop
	lineup *lineup
}

func (k kicker) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	defer k.loop.Kick()
	fresh := k.lineup.expect(items)
	outcomes, err := k.tally.Enqueue(ctx, items)
	k.lineup.added(items, fresh, outcomes)
	return outcomes, err
}

// outputs says how outputs that are there already are treated. An item of this
// run is in its own way: its line came twice. So is one of a run before, by its
// record.
func (r *run) outputs() producer.Outputs {
	return producer.Outputs{
		Existing: producer.Existing(r.flags.Existing),
		Ours: func(_ context.Context, it queue.Item) (bool, error) {
			if ours, err := r.state.ours(it); err != nil || ours {
				return ours, err
			}
			return r.known.items.Has(it.ID)
		},
	}
}
