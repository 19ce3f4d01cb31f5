package command

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// oomCounter tells deaths by the system's want of memory from other SIGKILLs,
// by the count of them that the process's control group (v2) keeps. Elsewhere
// it knows of none.
type oomCounter struct {
	events string // the group's memory.events

	mu   sync.Mutex
	seen int64 // kills that are accounted for
}

// newOOMCounter takes the kills that events counts now as others' affairs.
func newOOMCounter(events string) *oomCounter {
	return &oomCounter{events: events, seen: oomKills(events)}
}

// claim tells whether there was a kill that nobody has claimed yet, and claims
// it.
func (c *oomCounter) claim() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if oomKills(c.events) <= c.seen {
		return false
	}
	c.seen++
	return true
}

// oomEvents is where this process's control group counts, or "".
func oomEvents() string {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			return filepath.Join("/sys/fs/cgroup", strings.TrimSpace(path), "memory.events")
		}
	}
	return ""
}

// oomKills reads a count; what cannot be read has counted nothing.
func oomKills(events string) int64 {
	b, err := os.ReadFile(events)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			kills, _ := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			return kills
		}
	}
	return 0
}
