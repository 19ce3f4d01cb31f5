//go:build soak

package coordinator_test

import (
	"fmt"
	"testing"
	"time"
)

// An item of a tenth of a second comes every second: few workers are enough, and
// they stay.
func TestATrickleForTwoMinutes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {maxParallelism: 10}", "sleep 0.1")
	second := time.NewTicker(time.Second)
	for i := range 120 {
		<-second.C
		p.enqueue("film", fmt.Sprint(i), 1)
	}
	p.ended(120, soon)
	p.workers(0, soon)
	p.once(120)
	p.atMost(2)
	p.undisturbed()
	if err := p.madeNoMoreThan(2)(); err != nil {
		t.Error(err)
	}
}

// The workers of the minimum have nothing to do for ten minutes, and none of them
// is replaced.
func TestTheMinimumForTenMinutes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {minParallelism: 3, maxParallelism: 10}", "true")
	p.workers(3, soon)
	p.holds(10*time.Minute, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.made != 3 || p.live() != 3 {
			return fmt.Errorf("%d pods were made, and %d of them live, want 3", p.made, p.live())
		}
		return nil
	})
	p.enqueue("film", "a", 3)
	p.ended(3, soon)
	p.workers(3, soon)
	p.once(3)
	p.atMost(3)
	p.undisturbed()
}
