package natsqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
	"sluice.dev/queue/natsqueue/machine"
)

// Enqueue implements queue.Producer.
func (d *Driver) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	if len(items) == 0 {
		return nil, ctx.Err()
	}
	text, err := d.ask(ctx, askEnqueue, writeEntries(items))
	if err != nil {
		return nil, err
	}
	if len(text) != len(items) {
		return nil, fmt.Errorf("the leader answered for %d of %d items", len(text), len(items))
	}
	out := make([]queue.Outcome, len(text))
	for i, o := range text {
		out[i] = queue.Outcome(o)
	}
	return out, nil
}

// Exchange implements queue.Consumer.
func (d *Driver) Exchange(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
	if err := queue.ValidateWorker(x.Worker); err != nil {
		return queue.Reply{}, err
	}
	text, err := d.ask(ctx, askExchange, writeExchange(x))
	if err != nil {
		return queue.Reply{}, err
	}
	return readReply(text)
}

// Extend implements queue.Consumer.
func (d *Driver) Extend(ctx context.Context, _ string, leases []queue.Lease) ([]error, error) {
	if len(leases) == 0 {
		return nil, ctx.Err()
	}
	var w bin.Writer
	w.Uint(uint64(len(leases)))
	for _, l := range leases {
		writeHandle(&w, l)
	}
	text, err := d.ask(ctx, askExtend, w.B)
	if err != nil {
		return nil, err
	}
	r := bin.NewReader(text)
	return readHeld(r), r.End()
}

// Commit implements queue.Consumer.
func (d *Driver) Commit(ctx context.Context, l queue.Lease, record []byte) error {
	var w bin.Writer
	writeHandle(&w, l)
	w.Bytes(record)
	_, err := d.ask(ctx, askCommit, w.B)
	return err
}

// Leave implements queue.Consumer.
func (d *Driver) Leave(ctx context.Context, worker string, idle time.Duration) (bool, error) {
	o, err := d.control(ctx, askLeave, control{Name: worker, Idle: idle})
	return o.Yes, err
}

// control asks what is asked now and then.
func (d *Driver) control(ctx context.Context, verb byte, c control) (o outcome, err error) {
	text, err := d.ask(ctx, verb, encode(c))
	if errors.Is(err, errNothing) {
		return outcome{Depth: machine.New().Depth()}, nil
	}
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("the leader's answer: %w", err)
	}
	return o, nil
}

// Seal implements queue.Producer.
func (d *Driver) Seal(ctx context.Context, batch string) error {
	_, err := d.control(ctx, askSeal, control{Name: batch})
	return err
}

// Depth implements queue.Inspector.
func (d *Driver) Depth(ctx context.Context) (queue.Depth, error) {
	o, err := d.control(ctx, askDepth, control{})
	return o.Depth, err
}

// Items implements queue.Inspector. It asks for some at a time, so that nobody
// waits behind a long listing: an item that moves meanwhile may be listed twice
// or not at all.
func (d *Driver) Items(ctx context.Context, q queue.Query) ([]queue.Record, error) {
	var out []queue.Record
	for c := new(machine.Cursor); c != nil; {
		o, err := d.control(ctx, askItems, control{Query: q, Cursor: c})
		if err != nil {
			return nil, err
		}
		out, c = append(out, o.Records...), o.Cursor
	}
	return out, nil
}

// Batches implements queue.Inspector.
func (d *Driver) Batches(ctx context.Context) ([]queue.BatchInfo, error) {
	o, err := d.control(ctx, askBatches, control{})
	return o.Batches, err
}

// Expire implements queue.Controller.
func (d *Driver) Expire(ctx context.Context, worker string, f queue.Failure) (int, error) {
	o, err := d.control(ctx, askExpire, control{Name: worker, Failure: f})
	return o.Count, err
}

// SetPolicy implements queue.Controller.
func (d *Driver) SetPolicy(ctx context.Context, p queue.Policy, force bool) (queue.Policy, error) {
	o, err := d.control(ctx, askPolicy, control{Policy: p, Yes: force})
	return o.Policy, err
}

// OpenBatch implements queue.Operator.
func (d *Driver) OpenBatch(ctx context.Context, b queue.Batch) error {
	_, err := d.control(ctx, askOpen, control{Batch: b})
	return err
}

// ChangeBatch implements queue.Operator.
func (d *Driver) ChangeBatch(ctx context.Context, name string, v queue.BatchVerb) error {
	_, err := d.control(ctx, askBatch, control{Name: name, Verb: string(v)})
	return err
}

// changePage is how many items one question changes.
const changePage = 500

// ChangeItems implements queue.Operator.
func (d *Driver) ChangeItems(ctx context.Context, v queue.ItemVerb, ids []string) ([]error, error) {
	out := make([]error, 0, len(ids))
	for page := range slices.Chunk(ids, changePage) {
		o, err := d.control(ctx, askChange, control{Verb: string(v), IDs: page})
		if err != nil {
			return out, err
		}
		for _, r := range o.Errors {
			out = append(out, r.err())
		}
	}
	return out, ctx.Err()
}

// Pause implements queue.Operator.
func (d *Driver) Pause(ctx context.Context, paused bool) error {
	_, err := d.control(ctx, askPause, control{Yes: paused})
	return err
}

// Workers implements queue.Operator.
func (d *Driver) Workers(ctx context.Context) ([]queue.WorkerInfo, error) {
	o, err := d.control(ctx, askWorkers, control{})
	return o.Workers, err
}

// Wait implements queue.Consumer: the leader rings.
func (d *Driver) Wait(ctx context.Context, worker string, limit time.Duration) error {
	if err := ctx.Err(); err != nil || limit <= 0 {
		return err
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var w bin.Writer
	w.Uint(newID())
	w.String(worker)
	_, err := d.ask(within, askWait, w.B)
	if err == nil || within.Err() == nil {
		return err
	}
	d.say(askUnwait, w.B) // a ring for nobody would be lost
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}
