package redisqueue

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Watch implements queue.Operator by a subscription, which the first call makes
// and Close ends. A change between two calls is not missed.
func (d *Driver) Watch(ctx context.Context, limit time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	events, err := d.subscribe()
	if err != nil {
		return err
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-events:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Driver) subscribe() (<-chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, redis.ErrClosed
	}
	if d.events == nil {
		d.events = make(chan struct{}, 1)
		d.watch = d.rdb.Subscribe(context.Background(), d.prefix+"ev")
		d.watching.Go(func() {
			// The client connects again by itself. It says so, and what was
			// missed meanwhile counts as a change.
			for range d.watch.ChannelWithSubscriptions(redis.WithChannelHealthCheckInterval(maxWait)) {
				select {
				case d.events <- struct{}{}:
				default: // one look sees all that happened before it
				}
			}
		})
	}
	return d.events, nil
}
