package natstest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Cluster is three servers that keep streams together.
type Cluster struct{ Nodes []*Server }

// StartCluster launches a process for each node, with more of nats-server's
// configuration for all, and returns when a stream of three replicas can be
// made. TestMain must begin with Main.
func StartCluster(t testing.TB, conf ...string) *Cluster {
	t.Helper()
	c := LaunchCluster(t, conf...)
	for _, s := range c.Nodes {
		if err := until(t.Context(), s.healthy); err != nil {
			t.Fatalf("a node is not healthy: %v\n%s", err, s.Log())
		}
	}
	if err := until(t.Context(), c.keeps); err != nil {
		t.Fatalf("no stream of three replicas can be made: %v\n%s", err, c.Nodes[0].Log())
	}
	return c
}

// LaunchCluster is StartCluster that returns when each node takes clients: they
// have still to elect who leads them.
func LaunchCluster(t testing.TB, conf ...string) *Cluster {
	t.Helper()
	const nodes = 3
	peers := make([]string, nodes)
	for i := range peers {
		peers[i] = FreeAddr(t)
	}
	c := &Cluster{}
	for _, own := range peers {
		s := &Server{Dir: t.TempDir(), how: &outside{}}
		c.Nodes = append(c.Nodes, s.launch(t, append(conf,
			fmt.Sprintf("cluster { name: test, listen: %q, routes: [%s] }", own, "nats://"+strings.Join(peers, ", nats://")))))
	}
	return c
}

// keeps tells whether a stream with a replica on each node can be made.
func (c *Cluster) keeps(ctx context.Context) error {
	nc, err := nats.Connect(c.URL())
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	const name = "natstest-ready"
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Replicas: len(c.Nodes)}); err != nil {
		return err
	}
	return js.DeleteStream(ctx, name)
}

// URL is the cluster's address for a driver.
func (c *Cluster) URL() string {
	addrs := make([]string, len(c.Nodes))
	for i, s := range c.Nodes {
		addrs[i] = s.Addr
	}
	return "nats://" + strings.Join(addrs, ",")
}
