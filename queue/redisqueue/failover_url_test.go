package redisqueue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
)

func TestAFailoverLosesNothingThatTheReplicaHad(t *testing.T) {
	const items = 10
	store := redistest.StartWatched(t)
	q := queue.New(harness(store.URL()).Open(t, "q"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all []queue.Item
	for i := range items {
		all = append(all, queue.Item{ID: fmt.Sprint(i)})
	}
	if _, err := q.Enqueue(ctx, all); err != nil {
		t.Fatal(err)
	}
	worker, idle := q.Session("worker"), q.Session("idle")
	r, err := worker.Exchange(ctx, nil, items)
	if err != nil || len(r.Leases) != items {
		t.Fatalf("%d leases, %v", len(r.Leases), err)
	}
	old := r.Leases[0]
	rung := make(chan error, 1)
	go func() { rung <- idle.Wait(ctx, time.Minute) }()
	replicated(t, store.Primary)

	store.Primary.Kill()
	var settle []queue.Settlement
	for _, l := range r.Leases {
		settle = append(settle, queue.Settlement{Lease: l, Verb: queue.Ack})
	}
	if r, err = worker.Exchange(ctx, settle, 0); err != nil {
		t.Fatalf("settle after the failover: %v", err)
	}
	for i, err := range r.Settled {
		if err != nil {
			t.Errorf("ack of %q: %v", settle[i].Lease.Item.ID, err)
		}
	}

	if out, err := q.Enqueue(ctx, append(all, queue.Item{ID: "new"})); err != nil || out[0] != queue.Duplicate || out[items] != queue.Added {
		t.Errorf("the new primary says %v, %v; want duplicates and one that is added", out, err)
	}
	if err := <-rung; err != nil {
		t.Errorf("who waited through the failover: %v", err)
	}
	if r, err = idle.Exchange(ctx, nil, 1); err != nil || len(r.Leases) != 1 || r.Leases[0].Token <= old.Token {
		t.Errorf("leases %+v, %v; want the new item with a token above %d", r.Leases, err, old.Token)
	}
}

// replicated returns when the replica has all that the server was told.
func replicated(t *testing.T, s *redistest.Server) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer client.Close()
	c := client.Conn() // WAIT is about its connection's writes
	defer c.Close()
	if err := c.Set(t.Context(), "last", "", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Wait(t.Context(), 1, 10*time.Second).Result(); err != nil || n != 1 {
		t.Fatalf("%d replicas have all, %v; want 1", n, err)
	}
}
