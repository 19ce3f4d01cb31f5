package queuetest_test

import (
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice.dev/queue"
	"sluice.dev/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that moves when it is told to.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// settable is a harness of a store whose clock stands still unless it is
// advanced.
func settable() queuetest.Harness {
	c := &clock{t: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	s := &memServer{now: c.now, queues: map[string]*memQueue{}}
	return queuetest.Harness{Open: s.open, Advance: c.advance}
}

func TestSettableClock(t *testing.T) { queuetest.Run(t, settable()) }

func TestRunningClock(t *testing.T) {
	s := &memServer{now: time.Now, queues: map[string]*memQueue{}}
	queuetest.Run(t, queuetest.Harness{Open: s.open})
}

// verdict is a test that is not failed by Errorf but told of it.
type verdict struct {
	testing.TB
	failed bool
}

func (v *verdict) Errorf(string, ...any) { v.failed = true }

func TestMustFailWantsAFailure(t *testing.T) {
	v := &verdict{TB: t}
	queuetest.MustFail(v, settable(), queuetest.Mutant{
		Name: "breaks nothing",
		Wrap: func(d queue.Driver) queue.Driver { return d },
	})
	if !v.failed {
		t.Error("MustFail is content with a driver that conforms")
	}
}

func TestMutants(t *testing.T) {
	for _, m := range queuetest.Mutants() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			queuetest.MustFail(t, settable(), m)
		})
	}
}

func TestAWorkerAtALongItemIsListed(t *testing.T) {
	h := settable()
	queuetest.LongItems(t, h.Open(t, "q"), h.Advance)
}
