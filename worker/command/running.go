package command

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"sluice.dev/internal/boottime"
	"sluice.dev/internal/progress"
	"sluice.dev/queue"
	"sluice.dev/worker"
)

// Running is an item whose command runs.
type Running struct {
	Lease queue.Lease
	For   time.Duration // how long it has run
	// Percent is how far it is by its own output, 0 to 100, if Known.
	Percent float64
	Known   bool
	Said    time.Duration // how long it had run when Percent was seen to change last
}

// Running lists the items whose commands have run for at least so long, the
// longest first, and at most so many. It reads the end of what each has
// written since the last call, a few kilobytes: a call a few times a second
// costs the items nothing.
func (h *Handler) Running(least time.Duration, most int) []Running {
	now := boottime.Now()
	list := h.running.since(now - least)
	var found []Running
	for _, r := range list[:min(most, len(list))] {
		if at, ok := r.look(now); ok {
			found = append(found, at)
		}
	}
	return found
}

// runs are the commands that run.
type runs struct {
	mu  sync.Mutex
	all map[*ongoing]struct{}
}

// ongoing is one of them.
type ongoing struct {
	lease queue.Lease
	began time.Duration // by boottime

	mu     sync.Mutex
	output *capture // nil once the command has ended
	reader *progress.Reader
	last   Running // at the last look
}

// start takes a command up; the function that it returns takes it out, before
// its output becomes another's.
func (rs *runs) start(a *worker.Attempt, c *capture, p *progress.Pattern) (end func()) {
	r := &ongoing{lease: a.Lease, began: boottime.Now(), output: c, reader: progress.NewReader(c.stdout, c.stderr, p)}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.all == nil {
		rs.all = make(map[*ongoing]struct{})
	}
	rs.all[r] = struct{}{}
	return func() {
		rs.mu.Lock()
		delete(rs.all, r)
		rs.mu.Unlock()
		r.mu.Lock() // waits for a look that is under way
		r.output = nil
		r.mu.Unlock()
	}
}

// since lists those that began no later than this, the first to begin first.
func (rs *runs) since(began time.Duration) []*ongoing {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var list []*ongoing
	for r := range rs.all {
		if r.began <= began {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *ongoing) int { return cmp.Compare(a.began, b.began) })
	return list
}

// look says how far it is, unless it has ended meanwhile.
func (r *ongoing) look(now time.Duration) (at Running, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.output == nil {
		return at, false
	}
	at = r.last
	at.Lease, at.For = r.lease, now-r.began
	if stdout, stderr, err := r.output.sizes(); err == nil { // else it says nothing, as one that prints nothing
		at.Percent, at.Known = r.reader.Look(stdout, stderr)
	}
	if at.Percent != r.last.Percent || at.Known != r.last.Known {
		at.Said = at.For
	}
	r.last = at
	return at, true
}
