package redisqueue

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// registry is the set of the names of a store's queues.
const registry = "sluice:queues"

// enter puts the queue into the store's list when something is first put into
// it. A list that lacks a name hides a queue from people and does no harm, so
// that a failure is left for the call itself to meet.
func (d *Driver) enter(ctx context.Context) {
	d.entered.Do(func() { d.rdb.SAdd(ctx, registry, d.name) })
}

// Queues lists the queues that a store has, by name.
func Queues(ctx context.Context, url string) ([]string, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	opts.MaxRetries = -1
	rdb := redis.NewClient(opts)
	defer func() { _ = rdb.Close() }()
	names, err := rdb.SMembers(ctx, registry).Result()
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", opts.Addr, classify(err))
	}
	slices.Sort(names)
	return names, nil
}

// Drop deletes the queue with all that it holds, whatever its state, and takes
// it out of the store's list.
func (d *Driver) Drop(ctx context.Context) error {
	var cursor uint64
	for {
		keys, next, err := d.rdb.Scan(ctx, cursor, d.prefix+"*", page).Result()
		if err != nil {
			return classify(err)
		}
		if len(keys) > 0 {
			if err := d.rdb.Unlink(ctx, keys...).Err(); err != nil {
				return classify(err)
			}
		}
		if cursor = next; cursor == 0 {
			return classify(d.rdb.SRem(ctx, registry, d.name).Err())
		}
	}
}
