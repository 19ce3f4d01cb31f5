// Package peers_test measures sluice beside other queues for Go, in one run and
// in turns, so that what else the machine does meets them all. It is a module of
// its own, so that sluice itself depends on none of them. docs/peers.md has what
// came of it.
package peers_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"sluice.dev/internal/natstest"
	"sluice.dev/internal/queuebench"
)

var (
	rounds = flag.Int("rounds", 5, "how often each peer takes its turn; the medians count")
	turn   = flag.Duration("turn", 500*time.Millisecond, "how long a peer works in a turn of each measure, about")
)

// unit is the peer that the others are held against.
const unit = "asynq"

func TestMain(m *testing.M) {
	if natstest.Main() {
		return
	}
	os.Exit(m.Run())
}

// peer is a queue on a server of its own, as a program would use it.
type peer struct {
	name   string
	add    func(context.Context) error      // an item a call
	bulk   func(context.Context, int) error // many a call; nil where it has no such call
	gather func(context.Context) error      // an item, which its client sends with those of others; nil where it has none
	work   starter
	wakes  []waker
}

// starter starts a worker that has so many handlers at once, which do nothing but
// call begun. stop returns when the worker has ended.
type starter func(slots int, begun func()) (stop func())

// waker is a worker that waits, as its settings have it.
type waker struct {
	name    string
	add     func(context.Context) error
	start   starter
	every   time.Duration // how long it may be between two looks of its own
	samples int           // in a turn
}

// servers is how the servers are set up.
type servers struct {
	name            string
	redis, postgres []string // arguments
	nats            string   // configuration
}

// BenchmarkPeers puts the same load on each peer: items a second that are
// enqueued, and that a worker does, and how soon an idle worker begins an item.
// In "unsynced" an answer waits for no disk; in "synced" an item is on the disk
// when its enqueue returns.
func BenchmarkPeers(b *testing.B) {
	for _, s := range []servers{
		{"unsynced", nil, []string{"-c", "synchronous_commit=off"}, ""},
		// Rewriting a log would fall into somebody else's turn.
		{"synced", []string{"--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"},
			nil, "jetstream { store_dir: $DIR, sync_interval: always }"},
	} {
		b.Run(s.name, func(b *testing.B) {
			peers := []*peer{sluiceOnRedis(b, s), sluiceOnJetStream(b, s), asynqPeer(b, s), riverPeer(b, s)}
			r := results{b: b, peers: peers, rates: map[string]queuebench.Rounds{}, woken: map[string][]float64{}}
			r.before = load()
			for b.Loop() {
				r.measure()
			}
			r.report()
		})
	}
}

// results is what the turns have shown.
type results struct {
	b      *testing.B
	peers  []*peer
	rates  map[string]queuebench.Rounds // of each measure
	woken  map[string][]float64         // in milliseconds, of each waker
	before string
}

// measure has all peers take their turns.
func (r *results) measure() {
	sizes := map[string]int{} // items in a turn
	for _, p := range r.peers {
		for _, m := range measures {
			n := 200 // the first turns warm up, and show how much fits into one
			for range 2 {
				n = min(max(200, int(m.rate(r.b, p, n)*turn.Seconds())), 100_000)
			}
			sizes[p.name+m.name] = n
		}
	}
	for range *rounds {
		for _, m := range measures {
			if r.rates[m.name] == nil {
				r.rates[m.name] = queuebench.Rounds{}
			}
			for _, p := range r.peers {
				r.rates[m.name][p.name] = append(r.rates[m.name][p.name], m.rate(r.b, p, sizes[p.name+m.name]))
			}
		}
		for _, p := range r.peers {
			for _, w := range p.wakes {
				r.woken[w.name] = append(r.woken[w.name], w.wake(r.b)...)
			}
		}
	}
}

// report logs a table of ratios, with the lowest and the highest of a round, and
// of rates, which say nothing of another machine.
func (r *results) report() {
	var table strings.Builder
	fmt.Fprintf(&table, "load average %s before, %s after; %d rounds\n", r.before, load(), *rounds)
	for _, m := range measures {
		fmt.Fprintf(&table, "%s\n", m.name)
		for _, p := range r.peers {
			of := r.rates[m.name]
			ratio, low, high := spread(of[p.name], of[unit])
			fmt.Fprintf(&table, "    %-18s %7.2f x %s (%.2f to %.2f) %10.0f/s\n", p.name, ratio, unit, low, high, queuebench.Median(of[p.name]))
			r.b.ReportMetric(ratio, strings.ReplaceAll(p.name+"-"+m.name, " ", "-")+"/"+unit)
		}
	}
	fmt.Fprintln(&table, "wake")
	for _, p := range r.peers {
		for _, w := range p.wakes {
			took := r.woken[w.name]
			fmt.Fprintf(&table, "    %-28s p50 %8.2f ms   p99 %8.2f ms   of %d\n",
				w.name, queuebench.Median(took), queuebench.Quantile(took, 0.99), len(took))
		}
	}
	r.b.ReportMetric(0, "ns/op") // of all of it, which says nothing
	r.b.Log("\n" + table.String())
}

// spread is the median, the lowest and the highest over the rounds of a rate
// beside another of the same round.
func spread(of, beside []float64) (median, low, high float64) {
	ratios := make([]float64, len(of))
	for i := range of {
		ratios[i] = of[i] / beside[i]
	}
	return queuebench.Median(ratios), queuebench.Quantile(ratios, 0), queuebench.Quantile(ratios, 1)
}

// load is how busy the machine is, where it tells.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
