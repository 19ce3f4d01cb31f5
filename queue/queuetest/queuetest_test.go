package queuetest_test

import (
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

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

func TestMutants(t *testing.T) {
	for _, m := range queuetest.Mutants() {
		t.Run(m.Name, func(t *testing.T) { queuetest.MustFail(t, settable(), m) })
	}
}
