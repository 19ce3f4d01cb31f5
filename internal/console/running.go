package console

import (
	"cmp"
	"slices"
	"time"

	"sluice.dev/queue"
)

const (
	// staleAfter is how long what a worker said of its running items stands:
	// one that goes on says it again sooner.
	staleAfter = 3 * time.Second
	// maxTook is how many durations are remembered.
	maxTook = 1000
)

// watched is what workers have told of the items that run, and how long the
// last attempts took that ended. The zero value is ready.
type watched struct {
	workers map[string]runningOf
	took    []time.Duration // the last maxTook, in a ring
	ended   int64           // attempts, of which took are the last
}

// runningOf is what one worker said last.
type runningOf struct {
	at    time.Time
	items []RunningItem
}

// event notes what an event tells of running items.
func (w *watched) event(e Event, now time.Time) {
	switch e.Type {
	case ItemsRunning:
		if w.workers == nil {
			w.workers = make(map[string]runningOf)
		}
		w.workers[e.Worker] = runningOf{now, e.Running}
	case ItemSettled:
		if r, ok := w.workers[e.Worker]; ok {
			r.items = slices.DeleteFunc(r.items, func(i RunningItem) bool { return i.ID == e.ID })
			w.workers[e.Worker] = r
		}
		if e.Verb == queue.Release { // says nothing of how long a whole one takes
			return
		}
		if len(w.took) < maxTook {
			w.took = append(w.took, e.Took)
		} else {
			w.took[w.ended%maxTook] = e.Took
		}
		w.ended++
	}
}

// running is the items that are known to run, the longest first.
func (w *watched) running(now time.Time) []RunningItem {
	var all []RunningItem
	for worker, r := range w.workers {
		since := now.Sub(r.at)
		if since > staleAfter {
			delete(w.workers, worker)
			continue
		}
		for _, i := range r.items {
			i.For += since
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b RunningItem) int {
		return cmp.Or(cmp.Compare(b.For, a.For), cmp.Compare(a.ID, b.ID))
	})
	return all
}
