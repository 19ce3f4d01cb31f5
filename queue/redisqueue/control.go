package redisqueue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice.dev/queue"
)

// Expire implements queue.Controller.
func (d *Driver) Expire(ctx context.Context, worker string, f queue.Failure) (int, error) {
	n, err := d.number(ctx, expireScript, worker, encode(f), flag(f.Cause == queue.CauseInterrupted))
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

// Pause implements queue.Operator.
func (d *Driver) Pause(ctx context.Context, paused bool) error {
	_, err := d.run(ctx, pauseScript, flag(paused))
	return err
}

// OpenBatch implements queue.Operator.
func (d *Driver) OpenBatch(ctx context.Context, b queue.Batch) error {
	d.enter(ctx)
	return d.batch(ctx, "open", b.Name, b.After, b.Deadline)
}

// ChangeBatch implements queue.Operator.
func (d *Driver) ChangeBatch(ctx context.Context, name string, v queue.BatchVerb) error {
	if err := d.batch(ctx, string(v), name, "", 0); err != nil {
		return err
	}
	if v == queue.DeleteBatch {
		return d.reclaim(ctx)
	}
	return nil
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
	case "after not found":
		return fmt.Errorf("batch %q: after %q: %w", name, after, queue.ErrNotFound)
	case "after itself":
		return fmt.Errorf("batch %q: it cannot come after itself", name)
	case "differs":
		return fmt.Errorf("batch %q is there already, and not after %q", name, after)
	case "committed":
		return fmt.Errorf("batch %q: an item is publishing its output: %w", name, queue.ErrCommitted)
	case "followed":
		return fmt.Errorf("batch %q: another batch waits for it: delete that first", name)
	}
	if stated, ok := v.(int64); ok {
		was := "no deadline"
		if stated > 0 {
			was = "a deadline of " + micros(stated).String()
		}
		return fmt.Errorf("batch %q is there already, with %s, and one of %s was asked for", name, was, deadline)
	}
	return fmt.Errorf("store: unexpected reply %v", v)
}

// reclaim removes what deleted batches have left, some at a time so that
// nobody waits long behind it. What is left if it is cut short is not known to
// the queue any more, and goes at the next delete.
func (d *Driver) reclaim(ctx context.Context) error {
	for {
		n, err := d.number(ctx, reclaimScript, page)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	// The records that no list leads to: the dead and those cancelled singly.
	for _, key := range []string{"x", "z"} {
		var cursor uint64
		for {
			kv, next, err := d.rdb.HScan(ctx, d.prefix+key, cursor, "", page).Result()
			if err != nil {
				return classify(err)
			}
			args := []any{0}
			for i := 0; i < len(kv); i += 2 {
				args = append(args, kv[i])
			}
			if _, err := d.run(ctx, reclaimScript, args...); err != nil {
				return err
			}
			if cursor = next; cursor == 0 {
				break
			}
		}
	}
	return nil
}

// ChangeItems implements queue.Operator.
func (d *Driver) ChangeItems(ctx context.Context, v queue.ItemVerb, ids []string) ([]error, error) {
	out := make([]error, 0, len(ids))
	for chunk := range slices.Chunk(ids, page) {
		args := []any{string(v)}
		for _, id := range chunk {
			args = append(args, id)
		}
		list, err := d.call(ctx, changeScript, args...)
		if err != nil {
			return out, err
		}
		for i, x := range list {
			switch s := text(x); s {
			case "ok":
				out = append(out, nil)
			case "not found":
				out = append(out, fmt.Errorf("item %.60q: %w", chunk[i], queue.ErrNotFound))
			case "committed":
				out = append(out, fmt.Errorf("item %.60q: %w", chunk[i], queue.ErrCommitted))
			default:
				out = append(out, &queue.WrongState{Verb: v, ID: chunk[i], State: queue.State(s)})
			}
		}
	}
	return out, nil
}

// Workers implements queue.Operator.
func (d *Driver) Workers(ctx context.Context) ([]queue.WorkerInfo, error) {
	if _, err := d.Depth(ctx); err != nil { // leases that ended are not counted
		return nil, err
	}
	now, err := d.now(ctx)
	if err != nil {
		return nil, err
	}
	pipe := d.rdb.Pipeline()
	kept, held := pipe.HGetAll(ctx, d.prefix+"k"), pipe.ZRange(ctx, d.prefix+"l", 0, -1)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, classify(err)
	}
	leases := make(map[string]int)
	for _, ref := range held.Val() {
		if f := strings.SplitN(ref, ":", 7); len(f) == 7 {
			leases[f[2]]++
		}
	}
	out := make([]queue.WorkerInfo, 0, len(kept.Val()))
	for id, reply := range kept.Val() {
		f := strings.Split(reply, " ") // number, when, look, gone, settled
		if len(f) != 5 || strings.Contains(id, ":") {
			continue // the refs of a reply
		}
		at, _ := strconv.ParseInt(f[1], 10, 64)
		seen := now.Sub(time.UnixMicro(at))
		if dead := f[3] == "2"; !dead && (seen < time.Hour || leases[id] > 0) {
			out = append(out, queue.WorkerInfo{ID: id, Leases: leases[id], Seen: max(seen, 0), Gone: f[3] == "1"})
		}
	}
	for id, n := range leases { // of a worker at a long item, whose last reply is forgotten
		if _, ok := kept.Val()[id]; !ok {
			out = append(out, queue.WorkerInfo{ID: id, Leases: n, Seen: time.Hour})
		}
	}
	slices.SortFunc(out, func(a, b queue.WorkerInfo) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}
