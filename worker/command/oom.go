package command

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// oomCounter tells deaths by the system's want of memory from other SIGKILLs,
// by the count of them that the process's control group keeps. Where there are
// none it knows of none.
type oomCounter struct {
	events string // the file with the group's count

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
	return oomEventsOf(string(b), "/sys/fs/cgroup")
}

// oomEventsOf finds the count in the groups of a process, one a line: in that of
// the memory controller where it has a hierarchy of its own (v1), else in that of
// them all (v2). A container sees the paths of v1 as its host does, and only its
// own group below root.
func oomEventsOf(groups, root string) (events string) {
	for line := range strings.Lines(groups) {
		if path, ok := strings.CutPrefix(line, "0::"); ok && events == "" {
			events = filepath.Join(root, strings.TrimSpace(path), "memory.events")
		}
		if _, path, ok := strings.Cut(line, ":memory:"); ok {
			events = filepath.Join(root, "memory", strings.TrimSpace(path), "memory.oom_control")
			if _, err := os.Stat(events); err != nil {
				events = filepath.Join(root, "memory/memory.oom_control")
			}
		}
	}
	return events
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
