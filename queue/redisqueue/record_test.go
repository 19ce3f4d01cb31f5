package redisqueue_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
	"sluice.dev/queue/redisqueue"
)

// A record that cannot be read is set aside as dead with the reason, the
// others go on, and a person may delete it.
func TestMalformedRecord(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	ctx := t.Context()
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer func() { _ = rdb.Close() }()
	d := open(t, server.URL(), "q")
	bad := map[string]string{
		"empty":           "",
		"other version":   "v2|5|1|0|payload",
		"short digest":    "abc:5:1:0:payload",
		"cut in its head": "0123456789abcdef:5:1",
		"cut in its name": "0123456789abcdef:5:1:9:out",
	}
	ids := []string{"missing"}
	for id := range bad {
		ids = append(ids, id)
	}
	for _, id := range append(ids, "good") {
		if _, err := d.Enqueue(ctx, []queue.Item{{ID: id, Payload: []byte(id)}}); err != nil {
			t.Fatal(err)
		}
	}
	key := "sluice:{q}:p"
	for id, record := range bad {
		if err := rdb.HSet(ctx, key, id, record).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := rdb.HDel(ctx, key, "missing").Err(); err != nil {
		t.Fatal(err)
	}
	r, err := d.Exchange(ctx, queue.Exchange{Worker: "w", Seq: 1, Claim: 20})
	if err != nil || len(r.Leases) != 1 || r.Leases[0].Item.ID != "good" {
		t.Fatalf("claimed %v, %v; want the one that is good", r.Leases, err)
	}
	depth, err := d.Depth(ctx)
	if err != nil || counts(depth) != (queue.Depth{Leased: 1, Dead: int64(len(ids))}) {
		t.Fatalf("depth is %+v, %v; want %d dead", depth, err, len(ids))
	}
	for _, id := range ids {
		recs, err := d.Items(ctx, queue.Query{ID: id})
		if err != nil || len(recs) != 1 || recs[0].State != queue.Dead || len(recs[0].Failures) != 1 ||
			!strings.Contains(recs[0].Failures[0].Message, "record") {
			t.Errorf("%s: %+v, %v; want it dead, with the record for a reason", id, recs, err)
		}
		errs, err := d.ChangeItems(ctx, queue.DeleteItem, []string{id})
		if err != nil || errs[0] != nil {
			t.Errorf("delete of %s: %v, %v", id, errs, err)
		}
	}
	depth, err = d.Depth(ctx)
	if err != nil || counts(depth) != (queue.Depth{Leased: 1}) {
		t.Errorf("depth is %+v, %v; want what is good alone", depth, err)
	}
}

// A queue is listed from what is first put into it until it is dropped, and
// again from what comes after.
func TestListedQueues(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	ctx := t.Context()
	listed := func(want ...string) {
		t.Helper()
		got, err := redisqueue.Queues(ctx, server.URL())
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("listed are %q, %v; want %q", got, err, want)
		}
	}
	a, b := open(t, server.URL(), "a"), open(t, server.URL(), "b")
	listed()
	if err := b.OpenBatch(ctx, queue.Batch{Name: "x"}); err != nil {
		t.Fatal(err)
	}
	listed("b")
	for range 2 {
		if _, err := a.Enqueue(ctx, []queue.Item{{ID: "1"}}); err != nil {
			t.Fatal(err)
		}
		listed("a", "b")
		if err := a.Drop(ctx); err != nil {
			t.Fatal(err)
		}
		listed("b")
	}
}
