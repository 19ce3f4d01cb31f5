package natsqueue_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
)

// A queue of three replicas goes on while one of the three servers is killed,
// the one that leads its stream, and started again.
func TestAClusterWithANodeKilled(t *testing.T) {
	t.Parallel()
	c := natstest.StartCluster(t)
	var commits atomic.Int64
	strike := make(chan struct{})
	o := natsqueue.Options{Queue: "q", Replicas: 3}
	clients := make([]*queue.Queue, 4)
	for i := range clients {
		d := open(t, c.URL(), o)
		d.Hook(func(at string) bool {
			if at == "stored" && commits.Add(1) == 60 {
				close(strike)
			}
			return false
		}, 20<<10)
		clients[i] = queue.New(d)
	}
	if _, err := clients[0].SetPolicy(t.Context(), queue.Policy{Lease: time.Minute}, true); err != nil {
		t.Fatal(err)
	}
	victim := c.Nodes[leaderOf(t, c, "sluice=q")]
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		<-strike
		victim.Kill()
		<-time.After(2 * time.Second)
		victim.Restart(t)
	}()
	began := time.Now()
	finish(t, clients, 3000)
	t.Logf("%d commits, %s", commits.Load(), time.Since(began).Round(time.Millisecond))
	select {
	case <-restarted:
	case <-t.Context().Done():
	}
}

// leaderOf is the node that leads a stream.
func leaderOf(t *testing.T, c *natstest.Cluster, stream string) int {
	t.Helper()
	for i, n := range c.Nodes {
		nc := connect(t, n.URL())
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		s, err := js.Stream(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		if s.CachedInfo().Cluster.Leader == nc.ConnectedServerName() {
			return i
		}
	}
	t.Fatal("nobody leads the stream")
	return 0
}
