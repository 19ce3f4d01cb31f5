package redisqueue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"sluice.dev/queue"
)

// Expire implements queue.Controller.
func (d *Driver) Expire(ctx context.Context, worker string, f queue.Failure) (int, error) {
	n, err := d.number(ctx, expireScript, worker, encode(f))
	return int(n), err
}

// SetPolicy implements queue.Controller.
func (d *Driver) SetPolicy(ctx context.Context, p queue.Policy, force bool) (queue.Policy, error) {
	args := []any{flag(force)}
	for _, f := range []struct {
		name string
		v    time.Duration
	}{{"lease", p.Lease}, {"retryDelay", p.RetryDelay}, {"retryDelayMax", p.RetryDelayMax}, {"retention", p.Retention}} {
		if f.v != 0 {
			args = append(args, f.name, f.v.Microseconds())
		}
	}
	if p.BackoffLimit != nil {
		args = append(args, "backoffLimit", *p.BackoffLimit)
	}
	if p.DisruptionLimit != nil {
		args = append(args, "disruptionLimit", *p.DisruptionLimit)
	}
	list, err := d.call(ctx, policyScript, args...)
	if err != nil {
		return queue.Policy{}, err
	}
	if len(list) == 4 && list[0] == int64(1) {
		field := text(list[1])
		return queue.Policy{}, &queue.PolicyConflict{Field: field, InForce: show(field, text(list[2])), Stated: show(field, text(list[3]))}
	}
	if len(list) != 7 {
		return queue.Policy{}, fmt.Errorf("store: policy of %d fields", len(list))
	}
	backoff, _ := strconv.Atoi(text(list[2]))
	disruptions, _ := strconv.Atoi(text(list[5]))
	return queue.Policy{
		Lease: micros(list[1]), BackoffLimit: &backoff, RetryDelay: micros(list[3]),
		RetryDelayMax: micros(list[4]), DisruptionLimit: &disruptions, Retention: micros(list[6]),
	}, nil
}

// show is a stored value as a person states it.
func show(field, v string) string {
	if field == "backoffLimit" || field == "disruptionLimit" {
		return v
	}
	return micros(v).String()
}

// batch runs a verb of batch.lua.
func (d *Driver) batch(ctx context.Context, verb, name, after string, deadline time.Duration) error {
	v, err := d.run(ctx, batchScript, verb, name, after, deadline.Microseconds())
	if err != nil {
		return err
	}
	switch v {
	case "ok":
		return nil
	case "not found":
		return fmt.Errorf("batch %q: %w", name, queue.ErrNotFound)
	}
	return fmt.Errorf("batch %q: %v", name, v)
}
