// Package redisqueue keeps a queue in Redis 7.0 or later, or in a server that
// speaks its protocol and runs its scripts, as miniredis does.
//
// Every call is one Lua script and one round trip, so that a worker that dies
// leaves nothing half done. The scripts are in the folder lua; lib.lua tells
// which key holds what.
package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice.dev/queue"
)

// Driver is a queue in Redis.
type Driver struct {
	rdb    redis.UniversalClient
	at     place
	prefix string

	name    string
	entered atomic.Bool // into the store's list of queues

	mu      sync.Mutex
	closed  bool
	waiters []redis.UniversalClient // idle ones, each with a connection of its own
	waiting map[redis.UniversalClient]struct{}

	watch    *redis.PubSub
	events   chan struct{}
	watching sync.WaitGroup
}

var _ queue.Driver = (*Driver)(nil)

// Close ends every connection; calls under way return an error.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	for _, w := range d.waiters {
		_ = w.Close()
	}
	for w := range d.waiting {
		_ = w.Close()
	}
	d.waiters = nil
	if d.watch != nil {
		_ = d.watch.Close()
	}
	d.mu.Unlock()
	d.watching.Wait()
	return d.rdb.Close()
}

// run calls a script on the queue's keys.
func (d *Driver) run(ctx context.Context, s *redis.Script, args ...any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ctx.Done() == nil {
		v, err := s.Run(ctx, d.rdb, []string{d.prefix}, args...).Result()
		return v, classify(err)
	}
	// The client looks at a context's deadline but not at its end, and a
	// cancelled call returns at once.
	type result struct {
		v   any
		err error
	}
	c := make(chan result, 1)
	go func() {
		v, err := s.Run(context.WithoutCancel(ctx), d.rdb, []string{d.prefix}, args...).Result()
		c <- result{v, err}
	}()
	select {
	case r := <-c:
		return r.v, classify(r.err)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// call runs a script whose reply is a list.
func (d *Driver) call(ctx context.Context, s *redis.Script, args ...any) ([]any, error) {
	v, err := d.run(ctx, s, args...)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("store: unexpected reply %T", v)
	}
	return list, nil
}

// number runs a script whose reply is a number.
func (d *Driver) number(ctx context.Context, s *redis.Script, args ...any) (int64, error) {
	v, err := d.run(ctx, s, args...)
	if err != nil {
		return 0, err
	}
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("store: unexpected reply %T", v)
	}
	return n, nil
}

// maxWait bounds one blocking call, so that a connection which died in silence
// is noticed.
const maxWait = 30 * time.Second

// Wait implements queue.Consumer with a blocking pop from the doorbell, or from the
// worker's own, which rings when it is let go.
func (d *Driver) Wait(ctx context.Context, worker string, limit time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if limit <= 0 {
		return nil
	}
	w, err := d.waiter()
	if err != nil {
		return err
	}
	// Closing the connection is the only way to give up a blocked call, and
	// it must be given up: it would take a ring for nobody.
	stop := context.AfterFunc(ctx, func() { _ = w.Close() })
	limit = min(limit, maxWait)
	// A server that has nothing else to do looks at its timeouts ten times a
	// second. Any call makes it look now.
	nudge := time.AfterFunc(limit+5*time.Millisecond, func() { d.rdb.Exists(context.WithoutCancel(ctx), d.prefix+"w") })
	defer nudge.Stop()
	err = w.Do(context.WithoutCancel(ctx), "BLPOP", d.prefix+"w:"+worker, d.prefix+"w", fmt.Sprintf("%.3f", max(limit.Seconds(), 0.001))).Err()
	if !stop() {
		d.drop(w)
		return ctx.Err()
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		_ = w.Close()
		d.drop(w)
		return classify(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.waiting, w)
	if d.closed {
		return w.Close()
	}
	d.waiters = append(d.waiters, w)
	return nil
}

// waiter gives a client of one connection that may block.
func (d *Driver) waiter() (redis.UniversalClient, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, redis.ErrClosed
	}
	var w redis.UniversalClient
	if n := len(d.waiters); n > 0 {
		w, d.waiters = d.waiters[n-1], d.waiters[:n-1]
	} else {
		o := d.at.opts
		o.PoolSize = 1
		o.ReadTimeout = maxWait + 5*time.Second
		w = connect(o)
	}
	d.waiting[w] = struct{}{}
	return w, nil
}

func (d *Driver) drop(w redis.UniversalClient) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.waiting, w)
}
