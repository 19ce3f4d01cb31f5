package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice.dev/queue"
)

// Depth implements queue.Inspector.
func (d *Driver) Depth(ctx context.Context) (queue.Depth, error) {
	for {
		list, err := d.call(ctx, depthScript)
		if err != nil {
			return queue.Depth{}, err
		}
		if len(list) != 11 {
			return queue.Depth{}, fmt.Errorf("store: depth of %d fields", len(list))
		}
		n := make([]int64, len(list))
		for i, v := range list {
			n[i], _ = v.(int64)
		}
		if n[9] == 1 {
			continue // more was due than one call moves
		}
		next := time.Duration(-1)
		if n[8] >= 0 {
			next = time.Duration(n[8]) * time.Microsecond
		}
		return queue.Depth{Blocked: n[0], Delayed: n[1], Ready: n[2], Leased: n[3], Done: n[4], Dead: n[5],
			Cancelled: n[6], Held: n[7], Paused: n[10] == 1, NextDue: next}, nil
	}
}

// Batches implements queue.Inspector.
func (d *Driver) Batches(ctx context.Context) ([]queue.BatchInfo, error) {
	if _, err := d.Depth(ctx); err != nil { // what is due is counted as such
		return nil, err
	}
	serials, err := d.serials(ctx)
	if err != nil {
		return nil, err
	}
	now, err := d.now(ctx)
	if err != nil {
		return nil, err
	}
	pipe := d.rdb.Pipeline()
	paused := pipe.HGet(ctx, d.prefix+"y", "paused")
	cmds := make([]*redis.MapStringStringCmd, len(serials))
	for i, s := range serials {
		cmds[i] = pipe.HGetAll(ctx, d.prefix+"b:"+s)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, classify(err)
	}
	out := make([]queue.BatchInfo, 0, len(serials))
	names := make(map[string]string, len(serials))
	for i, c := range cmds {
		names[serials[i]] = c.Val()["name"]
	}
	for _, c := range cmds {
		h := c.Val()
		n := func(f string) int64 { v, _ := strconv.ParseInt(h[f], 10, 64); return v }
		held := n("held")
		if paused.Val() == "1" {
			held = n("ready")
		}
		out = append(out, queue.BatchInfo{
			Reason: h["reason"], After: names[h["after"]],
			Age: now.Sub(time.UnixMicro(n("created"))), Deadline: until(now, n("deadline")),
			Name: h["name"], Sealed: h["sealed"] == "1", Suspended: h["suspended"] == "1", Cancelled: h["void"] == "1",
			Depth: queue.Depth{Blocked: n("blocked"), Delayed: n("delayed"), Ready: n("ready"), Leased: n("leased"),
				Done: n("done"), Dead: n("dead"), Cancelled: n("cancelled"), Held: held, Paused: paused.Val() == "1", NextDue: -1},
		})
	}
	return out, nil
}

// until is how long it is to a moment in microseconds, 0 for none.
func until(now time.Time, at int64) time.Duration {
	if at == 0 {
		return 0
	}
	return time.UnixMicro(at).Sub(now)
}

// serials lists the serial numbers of the batches, oldest first.
func (d *Driver) serials(ctx context.Context) ([]string, error) {
	vals, err := d.rdb.HVals(ctx, d.prefix+"bn").Result()
	if err != nil {
		return nil, classify(err)
	}
	slices.SortFunc(vals, func(a, b string) int {
		x, _ := strconv.Atoi(a)
		y, _ := strconv.Atoi(b)
		return x - y
	})
	return vals, nil
}
