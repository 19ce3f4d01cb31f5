package natsqueue

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// Watch implements queue.Operator by a subscription, which the first call makes
// and Close ends. A change between two calls is not missed.
func (d *Driver) Watch(ctx context.Context, limit time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.watchOnce.Do(func() { d.watchErr = d.listenForEvents() }); d.watchErr != nil {
		return d.watchErr
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-d.events:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.ctx.Done():
		return errClosed
	}
}

// listenForEvents subscribes to what the leader tells of changes. When the
// connection was lost, what was missed meanwhile counts as a change.
func (d *Driver) listenForEvents() error {
	note := func() {
		select {
		case d.events <- struct{}{}:
		default: // one look sees all that happened before it
		}
	}
	sub, err := d.nc.Subscribe(d.name.event, func(*nats.Msg) { note() })
	if err != nil {
		return explain(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		return errClosed
	}
	back := d.nc.StatusChanged(nats.CONNECTED)
	note()
	d.busy.Go(func() {
		defer d.nc.RemoveStatusListener(back)
		for {
			select {
			case <-back:
				note()
			case <-d.ctx.Done():
				_ = sub.Unsubscribe()
				return
			}
		}
	})
	return nil
}
