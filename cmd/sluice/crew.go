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
	suspect map[string]string // why, of each worker that suspects itself
	broken  int               // workers that failed since an item was settled last
}

func (c *crew) joined(id string, slots int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slots[id] = slots
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
	crew *crew
}

func (t team) Active(ctx context.Context) (coordinator.Count, error) {
	n, err := t.Launcher.Active(ctx)
	return coordinator.Count{Workers: n.Live, Slots: n.Slots, Suspect: t.crew.suspects()}, err
}
