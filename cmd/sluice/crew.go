package main

import (
	"context"
	"fmt"
	"sync"

	"sluice.dev/coordinator"
	"sluice.dev/coordinator/local"
)

// maxBroken is how many workers may fail in a row, with no item settled
// between, before the run halts.
const maxBroken = 5

// crew knows how the workers of a run fare.
type crew struct {
	mu      sync.Mutex
	slots   map[string]int    // of each live worker
	stay    map[string]bool   // those that do not leave though nothing is to do
	suspect map[string]string // why, of each worker that suspects itself
	broken  int               // workers that failed since an item was settled last
}

// joined notes a worker, and tells whether it is one of the least that are kept
// though nothing is to do.
func (c *crew) joined(id string, slots, least int) (stay bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slots[id] = slots
	if len(c.stay) < least {
		if c.stay == nil {
			c.stay = make(map[string]bool)
		}
		c.stay[id] = true
	}
	return c.stay[id]
}

// settled notes that a worker got through an item, one way or another.
func (c *crew) settled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = 0
}

// left strikes a worker off, and returns why the run should halt, if it should.
func (c *crew) left(e local.Exit) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.slots, e.ID)
	delete(c.suspect, e.ID)
	delete(c.stay, e.ID)
	if e.Asked || e.Code == exitDone || e.Code == exitDrained {
		return ""
	}
	c.broken++
	if c.broken >= maxBroken {
		return fmt.Sprintf("%d workers ended in a row and nothing was settled between, the last with %s", c.broken, e)
	}
	return ""
}

// doubts notes that a worker suspects itself, or with "" no longer does, and
// returns why the run should halt: when every worker does.
func (c *crew) doubts(id, reason string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if reason == "" {
		delete(c.suspect, id)
		return ""
	}
	if c.suspect == nil {
		c.suspect = make(map[string]string)
	}
	c.suspect[id] = reason
	for live := range c.slots {
		if c.suspect[live] == "" {
			return ""
		}
	}
	return "halted, since in every worker " + reason + ": the command or this machine seems broken; nothing more was started"
}

// suspects is the slots of the workers that suspect themselves.
func (c *crew) suspects() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for id := range c.suspect {
		n += c.slots[id]
	}
	return n
}

// team is the launcher as the plan sees it.
type team struct {
	*local.Launcher
	crew  *crew
	seats *seats
}

func (t team) Active(ctx context.Context) (coordinator.Count, error) {
	n, err := t.Launcher.Active(ctx)
	return coordinator.Count{Workers: n.Live, Slots: n.Slots, Suspect: t.crew.suspects()}, err
}

func (t team) Launch(ctx context.Context, n int) (started int, err error) {
	n = t.seats.take(n)
	started, err = t.Launcher.Launch(ctx, n)
	t.seats.give(n - started)
	return started, err
}

// seats are the workers that several runs may have at once, together. A nil one
// has no end.
type seats struct {
	mu   sync.Mutex
	free int
}

// take takes up to n, and returns how many.
func (s *seats) take(n int) int {
	if s == nil {
		return n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, s.free)
	s.free -= n
	return n
}

func (s *seats) give(n int) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
}
