package redisqueue

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"sluice.dev/queue"
)

// digest tells payloads apart: 96 bits of SHA-256, in 16 characters that a ref
// may hold.
func digest(it queue.Item) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s", len(it.Output), it.Output)
	h.Write(it.Payload)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

// Enqueue implements queue.Producer.
func (d *Driver) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	if len(items) == 0 {
		return nil, ctx.Err()
	}
	d.enter(ctx)
	args := make([]any, 0, 7*len(items))
	for _, it := range items {
		p := it.Priority
		if p == 0 {
			p = queue.DefaultPriority
		}
		args = append(args, it.ID, digest(it), p, it.Delay.Microseconds(), it.Batch, it.Output, it.Payload)
	}
	list, err := d.call(ctx, enqueueScript, args...)
	if err != nil {
		return nil, err
	}
	out := make([]queue.Outcome, len(list))
	for i, v := range list {
		n, _ := v.(int64)
		out[i] = queue.Outcome(n)
	}
	return out, nil
}

// Seal implements queue.Producer.
func (d *Driver) Seal(ctx context.Context, batch string) error {
	d.enter(ctx)
	return d.batch(ctx, "seal", batch, "", 0)
}
