package redisqueue_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
)

// What an output was published by is forgotten with the item's done record,
// and not before: the store does not grow by every output there ever was.
func TestOutputsAreForgottenWithTheirItems(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer func() { _ = rdb.Close() }()
	d := open(t, server.URL(), "q")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	kept := func() (n int64) {
		for _, key := range append(rdb.Keys(ctx, "sluice:{q}:uo:*").Val(), "sluice:{q}:u") {
			n += rdb.HLen(ctx, key).Val()
		}
		return n
	}
	add := func(id, output string) queue.Outcome {
		t.Helper()
		out, err := d.Enqueue(ctx, []queue.Item{{ID: id, Output: output}})
		return must(t, out, err)[0]
	}
	add("a", "1.png")
	add("b", "2.png")
	add("c", "3.png")
	s := queue.New(d).Session("w")
	r, err := s.Exchange(ctx, nil, 2)
	var settle []queue.Settlement
	for _, l := range must(t, r, err).Leases {
		settle = append(settle, queue.Settlement{Lease: l, Verb: queue.Ack})
	}
	// A lease that names an output which its item never had moves nothing.
	settle[1].Lease.Item.Output = "3.png"
	if _, err := s.Exchange(ctx, settle, 0); err != nil {
		t.Fatal(err)
	}
	for id, output := range map[string]string{"x": "1.png", "y": "2.png", "z": "3.png"} {
		if o := add(id, output); o != queue.OutputTaken {
			t.Errorf("%s for another item: %s, want output taken", output, o)
		}
	}
	if n := kept(); n != 3 {
		t.Errorf("%d outputs are kept, want 3", n)
	}
	// Nobody waits for a week: the records are made to be of 1970.
	bucket := rdb.ZRange(ctx, "sluice:{q}:ob", 0, 0).Val()[0]
	if err := rdb.ZAdd(ctx, "sluice:{q}:ob", redis.Z{Member: bucket, Score: 1}).Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.HSet(ctx, "sluice:{q}:y", "oldest", 1).Err(); err != nil {
		t.Fatal(err)
	}
	if depth, err := d.Depth(ctx); err != nil || depth.Done != 0 {
		t.Fatalf("past the retention the depth is %+v, %v; want nothing done", depth, err)
	}
	if o := add("x", "1.png"); o != queue.Added {
		t.Errorf("an output of what is forgotten: %s, want added", o)
	}
	if n := kept(); n != 3 { // 2.png was never let go of: its lease named another
		t.Errorf("%d outputs are kept, want 3", n)
	}
}
