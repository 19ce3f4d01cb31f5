package redisqueue

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice.dev/queue"
)

// Exchange implements queue.Consumer.
func (d *Driver) Exchange(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
	if err := checkWorker(x.Worker); err != nil {
		return queue.Reply{}, err
	}
	// The acks first: they are many, and most say nothing more.
	args := make([]any, 0, 5+5*len(x.Settle))
	args = append(args, x.Worker, x.Seq, x.Claim, 0, 0)
	order := make([]int, 0, len(x.Settle)) // in which the store is told of them
	for i, s := range x.Settle {
		if s.Verb == queue.Ack {
			args = append(args, s.Lease.Ref)
			order = append(order, i)
		}
	}
	acks, more := len(order), 0
	for n, i := range order {
		if s := x.Settle[i]; len(s.Result) > 0 || s.Lease.Item.Output != "" {
			args = append(args, n+1, s.Result, s.Lease.Item.Output)
			more++
		}
	}
	args[3], args[4] = acks, more
	for i, s := range x.Settle {
		if s.Verb == queue.Ack {
			continue
		}
		mode := flag(s.Backoff)
		if s.Unstarted {
			mode = 2
		}
		args = append(args, int(s.Verb), s.Lease.Ref, encode(s.Failure), s.After.Microseconds(), mode)
		order = append(order, i)
	}
	list, err := d.call(ctx, exchangeScript, args...)
	if err != nil {
		return queue.Reply{}, err
	}
	r, err := parseReply(list)
	if err != nil {
		return queue.Reply{}, err
	}
	if len(r.Settled) != len(order) {
		return r, nil // to what had this number first, which was something else
	}
	settled := r.Settled
	r.Settled = make([]error, len(settled))
	for at, i := range order {
		r.Settled[i] = settled[at]
	}
	return r, nil
}

// parseReply reads what exchange.lua returns.
func parseReply(list []any) (queue.Reply, error) {
	if len(list) != 6 {
		return queue.Reply{}, fmt.Errorf("store: reply of %d fields", len(list))
	}
	var r queue.Reply
	settled, _ := list[0].(string)
	r.Settled = make([]error, len(settled))
	for i := range settled {
		if settled[i] != '1' {
			r.Settled[i] = queue.ErrLeaseLost
		}
	}
	r.Next = micros(list[1])
	r.Gone = list[2] == int64(1)
	ttl := micros(list[3])
	names := make(map[string]string)
	flat, _ := list[4].([]any)
	for i := 0; i+1 < len(flat); i += 2 {
		names[text(flat[i])] = text(flat[i+1])
	}
	flat, _ = list[5].([]any)
	r.Leases = make([]queue.Lease, 0, len(flat)/3)
	for i := 0; i+2 < len(flat); i += 3 {
		l, serial, err := parseLease(text(flat[i]), text(flat[i+1]))
		if err != nil {
			return queue.Reply{}, err
		}
		l.TTL, l.Item.Batch = ttl, names[serial]
		if c := text(flat[i+2]); c != "" {
			l.Committed = []byte(c)
		}
		r.Leases = append(r.Leases, l)
	}
	return r, nil
}

// parseLease reads a ref, token:priority:worker:digest:batch:attempts.releases:id,
// and a record, and gives the batch's serial number.
func parseLease(ref, record string) (queue.Lease, string, error) {
	f := strings.SplitN(ref, ":", 7)
	if len(f) != 7 {
		return queue.Lease{}, "", fmt.Errorf("store: lease %.60q is not ours", ref)
	}
	it, err := parseRecord(record)
	if err != nil {
		return queue.Lease{}, "", err
	}
	it.ID = f[6]
	token, err := strconv.ParseUint(f[0], 10, 64)
	if err != nil {
		return queue.Lease{}, "", fmt.Errorf("store: lease %.60q: %w", ref, err)
	}
	attempts, _, _ := strings.Cut(f[5], ".")
	a, err := strconv.Atoi(attempts)
	if err != nil {
		return queue.Lease{}, "", fmt.Errorf("store: lease %.60q: %w", ref, err)
	}
	return queue.Lease{Item: it, Token: token, Attempt: a + 1, Again: f[5] != untried, Ref: ref}, f[4], nil
}

// untried is how lib.lua writes that an item has no attempts, releases or failures.
const untried = "0.0"

// parseRecord reads digest:priority:batch:len(output):output payload.
func parseRecord(record string) (queue.Item, error) {
	f := strings.SplitN(record, ":", 5)
	if len(f) != 5 {
		return queue.Item{}, fmt.Errorf("store: record %.40q is not ours", record)
	}
	p, err1 := strconv.Atoi(f[1])
	n, err2 := strconv.Atoi(f[3])
	if err1 != nil || err2 != nil || n < 0 || n > len(f[4]) {
		return queue.Item{}, fmt.Errorf("store: record %.40q is not ours", record)
	}
	return queue.Item{Priority: p, Output: f[4][:n], Payload: []byte(f[4][n:])}, nil
}

// Extend implements queue.Consumer.
func (d *Driver) Extend(ctx context.Context, _ string, leases []queue.Lease) ([]error, error) {
	if len(leases) == 0 {
		return nil, ctx.Err()
	}
	args := make([]any, len(leases))
	for i, l := range leases {
		args[i] = l.Ref
	}
	list, err := d.call(ctx, extendScript, args...)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(leases))
	for i := range errs {
		if i >= len(list) || list[i] != int64(1) {
			errs[i] = queue.ErrLeaseLost
		}
	}
	return errs, nil
}

// Commit implements queue.Consumer.
func (d *Driver) Commit(ctx context.Context, l queue.Lease, record []byte) error {
	n, err := d.number(ctx, commitScript, l.Ref, record)
	if err == nil && n != 1 {
		err = queue.ErrLeaseLost
	}
	return err
}

// Leave implements queue.Consumer.
func (d *Driver) Leave(ctx context.Context, worker string, idle time.Duration) (bool, error) {
	n, err := d.number(ctx, leaveScript, worker, idle.Microseconds())
	return n == 1, err
}

// checkWorker keeps the separator of refs out of worker ids.
func checkWorker(id string) error {
	if id == "" || len(id) > 253 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == ':' || r == '"' || r == '\\' }) {
		return fmt.Errorf("worker id %.60q: 1 to 253 bytes without ':', quotes, backslashes and white space are allowed", id)
	}
	return nil
}

// encode is a failure in one line.
func encode(f queue.Failure) []byte {
	if n := len(f.Stderr) - queue.MaxStderrBytes; n > 0 {
		f.Stderr = strings.ToValidUTF8(f.Stderr[n:], "")
	}
	b, err := json.Marshal(f)
	if err != nil {
		panic("redisqueue: " + err.Error()) // strings and a number: cannot fail
	}
	return b
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// micros reads a duration in microseconds.
func micros(v any) time.Duration {
	switch v := v.(type) {
	case int64:
		return time.Duration(v) * time.Microsecond
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return time.Duration(n) * time.Microsecond
	}
	return 0
}
