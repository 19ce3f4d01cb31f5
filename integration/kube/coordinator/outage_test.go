package coordinator_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// away is how long something is.
const away = 30 * time.Second

// The store goes and comes back. While nobody can read the queue, nothing is
// launched, also not for a new minimum; then all goes on by itself.
func TestTheStoreIsAway(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]func(*place) (back func()){
		"killed": func(p *place) func() {
			p.server.kill()
			return func() { p.server.run(p.T) }
		},
		"hung": func(p *place) func() {
			p.server.signal(p.T, syscall.SIGSTOP)
			return func() { p.server.signal(p.T, syscall.SIGCONT) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.coordinate()
			p.queue("film", "  scaling: {maxParallelism: 4}", "sleep 1")
			p.enqueue("film", "a", 40)
			p.begun(5)
			p.workers(4, soon)
			back := outage(p)
			left := time.Now()
			p.patch("film", `{"spec":{"scaling":{"minParallelism":6,"maxParallelism":8}}}`)
			p.condition("film", "StoreReachable", "False", "Error", soon)
			p.told("film", "not StoreReachable", "nothing", "the queue cannot be read, and an unknown number launches nothing")
			p.holds(away-time.Since(left), p.madeNoMoreThan(4))
			back()
			returned := time.Now()
			p.condition("film", "StoreReachable", "True", "Answers", soon)
			t.Logf("the coordinator reads the queue %s after the store is back", time.Since(returned).Round(100*time.Millisecond))
			p.ended(40, soon)
			p.patch("film", `{"spec":{"scaling":{"minParallelism":0}}}`)
			p.workers(0, soon)
			p.once(40)
			p.atMost(8)
			p.undisturbed()
		})
	}
}

// madeNoMoreThan is an error when more pods than that have been made.
func (p *place) madeNoMoreThan(n int) func() error {
	return func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.made > n {
			return fmt.Errorf("%d pods have been made, want %d", p.made, n)
		}
		return nil
	}
}

// holds checks that something is so all the time.
func (p *place) holds(long time.Duration, so func() error) {
	p.Helper()
	end := time.After(long)
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		if err := so(); err != nil {
			p.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-end:
			return
		}
	}
}

// The API server goes and comes back. Workers go on, and then those are launched
// who are missing. It does not run beside the others, who would miss the API
// server too.
func TestTheAPIServerIsAway(t *testing.T) {
	p := newPlace(t)
	p.coordinate()
	sign := filepath.Join(t.TempDir(), "go")
	p.queue("film", "  scaling: {maxParallelism: 8}", "case $0 in slow*) until test -e "+sign+"; do sleep 0.1; done;; esac; sleep 1")
	p.enqueue("film", "slow", 2)
	p.begun(2)
	err := kube.Outage(t.Context(), func() {
		left := time.Now()
		p.enqueue("film", "more", 12)
		p.holds(away-time.Since(left), p.madeNoMoreThan(2))
	})
	if err != nil {
		t.Fatal(err)
	}
	returned := time.Now()
	p.ended(12, soon)
	t.Logf("what was enqueued meanwhile is done %s after the API server is back", time.Since(returned).Round(100*time.Millisecond))
	if err := os.WriteFile(sign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.ended(14, soon)
	p.workers(0, soon)
	p.once(14)
	p.atMost(8)
	p.undisturbed()
}
