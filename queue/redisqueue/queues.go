package redisqueue

import (
	"context"
	"slices"
)

// registry is the set of the names of a store's queues.
const registry = "sluice:queues"

// enter puts the queue into the store's list when something is first put into
// it. A list that lacks a name hides a queue from people and does no harm, so
// that a failure is left for the call itself to meet.
func (d *Driver) enter(ctx context.Context) {
	if !d.entered.Load() && d.rdb.SAdd(ctx, registry, d.name).Err() == nil {
		d.entered.Store(true)
	}
}

// Queues lists the queues that a store has, by name.
func Queues(ctx context.Context, url string) ([]string, error) {
	at, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	rdb := connect(at.opts)
	defer func() { _ = rdb.Close() }()
	names, err := rdb.SMembers(ctx, registry).Result()
	if err != nil {
		return nil, at.wrap(err)
	}
	slices.Sort(names)
	return names, nil
}

// Drop deletes the queue with all that it holds, whatever its state, and takes
// it out of the store's list.
func (d *Driver) Drop(ctx context.Context) error {
	node, err := d.node(ctx)
	if err != nil {
		return classify(err)
	}
	d.entered.Store(false)
	var cursor uint64
	for {
		keys, next, err := node.Scan(ctx, cursor, d.prefix+"*", page).Result()
		if err != nil {
			return classify(err)
		}
		if len(keys) > 0 {
			if err := d.rdb.Unlink(ctx, keys...).Err(); err != nil {
				return classify(err)
			}
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	if err := d.rdb.SRem(ctx, registry, d.name).Err(); err != nil {
		return classify(err)
	}
	return classify(d.rdb.Publish(ctx, d.prefix+"ev", "").Err())
}
