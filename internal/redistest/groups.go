package redistest

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// primaryName is what Sentinel calls the primary of a Watched.
const primaryName = "primary"

// Watched is a primary and a replica, under a Sentinel that promotes the
// replica when the primary is killed.
type Watched struct {
	Primary, Replica *Server
	sentinel         *Server
}

// StartWatched starts them, with more options for the primary and the replica,
// and returns when Sentinel would notice that the primary dies.
func StartWatched(t testing.TB, options ...string) *Watched {
	t.Helper()
	return startWatched(t, plain(t), options)
}

// StartWatchedTLS starts them to speak TLS alone, as StartTLS does.
func StartWatchedTLS(t testing.TB, options ...string) *Watched {
	t.Helper()
	return startWatched(t, secured(t), options)
}

func startWatched(t testing.TB, server maker, options []string) *Watched {
	t.Helper()
	w := &Watched{Primary: server(options...).launch(t)}
	host, port, err := net.SplitHostPort(w.Primary.Addr)
	if err != nil {
		t.Fatal(err)
	}
	w.Replica = server(append([]string{"--replicaof", host + " " + port}, options...)...).launch(t)
	w.sentinel = server()
	config := filepath.Join(w.sentinel.Dir, "conf")
	text := strings.Join([]string{
		"sentinel monitor " + primaryName + " " + host + " " + port + " 1",
		"sentinel down-after-milliseconds " + primaryName + " 3000", // a busy machine is silent for a second
		"sentinel failover-timeout " + primaryName + " 2000",
	}, "\n") + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.sentinel.first = []string{config, "--sentinel"}
	w.sentinel.launch(t)
	w.sentinel.until(t, "Sentinel knows the replica", func(ctx context.Context, c *redis.Client) bool {
		found, err := c.Do(ctx, "SENTINEL", "REPLICAS", primaryName).Slice()
		if err != nil || len(found) != 1 {
			return false
		}
		replica, _ := found[0].(map[any]any)
		return replica["master-link-status"] == "ok" && replica["slave-repl-offset"] != "0"
	})
	return w
}

// URL is the Sentinel's address for a driver.
func (w *Watched) URL() string { return w.sentinel.url("+sentinel", w.sentinel.Addr+"/"+primaryName) }

// Cluster is three servers that share the slots among them.
type Cluster struct{ Nodes []*Server }

// StartCluster starts them and returns when each knows all the slots.
func StartCluster(t testing.TB, options ...string) *Cluster {
	t.Helper()
	return startCluster(t, plain(t), options)
}

// StartClusterTLS starts them to speak TLS alone, as StartTLS does.
func StartClusterTLS(t testing.TB, options ...string) *Cluster {
	t.Helper()
	return startCluster(t, secured(t), options)
}

func startCluster(t testing.TB, server maker, options []string) *Cluster {
	t.Helper()
	const nodes, slots = 3, 16384
	c := &Cluster{}
	for range nodes {
		bus, err := freeAddr()
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(bus)
		if err != nil {
			t.Fatal(err)
		}
		c.Nodes = append(c.Nodes, server(append([]string{"--cluster-enabled", "yes", "--cluster-port", port}, options...)...).launch(t))
		at := len(c.Nodes) - 1
		c.Nodes[at].do(t, "CLUSTER", "SET-CONFIG-EPOCH", at+1)
		c.Nodes[at].do(t, "CLUSTER", "ADDSLOTSRANGE", at*slots/nodes, (at+1)*slots/nodes-1)
		host, own, err := net.SplitHostPort(c.Nodes[at].Addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Nodes[0].do(t, "CLUSTER", "MEET", host, own, port)
	}
	for _, s := range c.Nodes {
		s.until(t, "the cluster is whole", func(ctx context.Context, c *redis.Client) bool {
			info, err := c.ClusterInfo(ctx).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return c
}

// URL is the cluster's address for a driver.
func (c *Cluster) URL() string {
	addrs := make([]string, len(c.Nodes))
	for i, s := range c.Nodes {
		addrs[i] = s.Addr
	}
	return c.Nodes[0].url("+cluster", strings.Join(addrs, ","))
}

func (s *Server) do(t testing.TB, args ...any) {
	t.Helper()
	c := s.client()
	defer func() { _ = c.Close() }()
	if err := c.Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}

// until waits for a state of the server.
func (s *Server) until(t testing.TB, what string, reached func(context.Context, *redis.Client) bool) {
	t.Helper()
	c := s.client()
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !reached(ctx, c) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("in 30 s it did not come to: %s\n%s", what, s.log())
		}
	}
}
