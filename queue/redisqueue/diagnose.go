package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice.dev/queue"
)

// Diagnose looks at a store's settings and state and tells what would be lost
// when. It changes nothing and takes about a second. Its error is for a store
// that cannot be reached or that Open refuses.
func Diagnose(ctx context.Context, url string) ([]queue.Finding, error) {
	// The queue needs not be there, and will not be.
	d, err := Open(ctx, Options{URL: url, Queue: "sluice-doctor"})
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	out, err := d.diagnose(ctx)
	if err != nil {
		return nil, d.at.wrap(err)
	}
	return out, nil
}

func (d *Driver) diagnose(ctx context.Context) ([]queue.Finding, error) {
	f, err := d.runsScripts(ctx)
	if err != nil {
		return nil, err
	}
	servers, err := d.servers(ctx)
	if err != nil {
		return nil, err
	}
	out := []queue.Finding{f}
	for _, check := range []struct {
		name  string
		judge func(*server) (queue.Verdict, string)
	}{
		{"server", (*server).identity}, {"durability", (*server).durability}, {"disk", (*server).disk},
		{"memory", (*server).memory}, {"failover", (*server).failover},
	} {
		out = append(out, worst(check.name, servers, check.judge))
	}
	if d.at.opts.IsClusterMode {
		f, err := d.coverage(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	node, err := d.node(ctx)
	if err != nil {
		return nil, err
	}
	clock, err := queue.ProbeClock(ctx, func(ctx context.Context) (time.Time, error) { return node.Time(ctx).Result() })
	return append(out, clock...), err
}

// runsScripts tries the script that changes nothing where there is no queue.
func (d *Driver) runsScripts(ctx context.Context) (queue.Finding, error) {
	_, err := d.Depth(ctx)
	if err == nil {
		return queue.Finding{Check: "scripts", Verdict: queue.VerdictOK, Detail: "it runs the scripts that keep a queue"}, nil
	}
	if errors.Is(err, queue.ErrUnavailable) || ctx.Err() != nil {
		return queue.Finding{}, err
	}
	return queue.Finding{Check: "scripts", Verdict: queue.VerdictFault, Detail: line{err}.Error()}, nil
}

// servers reads the settings of each server that keeps queues.
func (d *Driver) servers(ctx context.Context) ([]*server, error) {
	cluster, ok := d.rdb.(*redis.ClusterClient)
	if !ok {
		s, err := readServer(ctx, d.rdb)
		return []*server{s}, err
	}
	var mu sync.Mutex
	var all []*server
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		s, err := readServer(ctx, c)
		if err != nil {
			return err
		}
		s.addr = c.Options().Addr
		mu.Lock()
		defer mu.Unlock()
		all = append(all, s)
		return nil
	})
	slices.SortFunc(all, func(a, b *server) int { return strings.Compare(a.addr, b.addr) })
	return all, err
}

// worst is what the servers' findings come to: the first of the worst.
func worst(check string, servers []*server, judge func(*server) (queue.Verdict, string)) queue.Finding {
	out := queue.Finding{Check: check}
	same := 0
	for i, s := range servers {
		verdict, detail := judge(s)
		switch {
		case i == 0 || verdict.Compare(out.Verdict) > 0:
			out.Verdict, out.Detail, same = verdict, detail, 1
			if s.addr != "" {
				out.Detail = s.addr + ": " + detail
			}
		case verdict == out.Verdict:
			same++
		}
	}
	if len(servers) > 1 {
		out.Detail += fmt.Sprintf("; %d of %d primaries: %s", same, len(servers), out.Verdict)
	}
	return out
}

// coverage tells whether a cluster has a node for every queue.
func (d *Driver) coverage(ctx context.Context) (queue.Finding, error) {
	f := queue.Finding{Check: "cluster", Verdict: queue.VerdictOK}
	info, err := d.rdb.ClusterInfo(ctx).Result()
	if err != nil {
		return f, classify(err)
	}
	f.Detail = fmt.Sprintf("%s nodes keep %s of 16384 slots; all keys of a queue are in one of them", field(info, "cluster_known_nodes"), field(info, "cluster_slots_ok"))
	if field(info, "cluster_state") != "ok" || field(info, "cluster_slots_ok") != "16384" {
		f.Verdict = queue.VerdictFault
		f.Detail += ": queues in the other slots cannot be reached"
	}
	return f, nil
}
