// Package coordinator keeps as many workers as the queue's depth asks for. The
// plan is arithmetic; a launcher carries it out with local processes or with
// Kubernetes Jobs.
package coordinator

import (
	"fmt"
	"time"

	"sluice.dev/queue"
)

// Options bounds the number of workers.
type Options struct {
	Min            int // workers that are kept though there is nothing to do; default 0
	Max            int // workers at most; at least 1
	ItemsPerWorker int // items that a worker is there for, at once or in turn; default 1, at least a worker's slots

	// LaunchTime is how long a worker takes to start. What becomes ready
	// sooner than that is wanted already; default 0.
	LaunchTime time.Duration
}

// Count is the workers of one launcher that are pending, starting or running
// and not leaving.
type Count struct {
	Workers int
	Slots   int // that they have together
	Suspect int // slots of workers that claim nothing for now since all they tried has failed

	// Others is how many of the queue's leases are held by workers that are not
	// counted here. They fill none of these slots.
	Others int64
	// Stuck is why workers that were launched cannot start, and "" if they can.
	// No more are launched then.
	Stuck string
}

// Decision is what the plan wants, with the numbers that it comes from.
type Decision struct {
	Claimable int64 // items that a claim would get now, or within LaunchTime
	Spare     int   // items more that live workers are there for: their free slots, unless ItemsPerWorker is more
	Live      int   // workers
	Wanted    int64 // workers more that the items ask for, whatever Max says
	Desired   int   // workers
	Launch    int   // Desired - Live where that is positive: nobody is ever ended in order to scale down
	Reason    string
}

// Plan is the rule: one worker more for each ItemsPerWorker claimable items
// that no live worker is there for, within Min and Max, and none while those that
// were launched cannot start. It is a pure function, and asked again before
// anything but its own launch has happened it wants nothing more. Leases of others
// and blocked items ask for nothing.
func Plan(d queue.Depth, live Count, o Options) Decision {
	perWorker := int64(max(o.ItemsPerWorker, 1))
	room := live.room(perWorker)
	busy := min(max(d.Leased-live.Others, 0), int64(live.Slots-live.Suspect))
	dec := Decision{
		Claimable: d.Claimable() + dueSoon(d, o.LaunchTime),
		Spare:     int(max(room-busy, 0)),
		Live:      live.Workers,
	}
	wanting := max(0, dec.Claimable-int64(dec.Spare))
	more := (wanting + perWorker - 1) / perWorker
	dec.Wanted = more
	dec.Desired = int(min(max(int64(live.Workers)+more, int64(o.Min)), int64(o.Max)))
	dec.Launch = max(0, dec.Desired-live.Workers)
	dec.Reason = reason(dec, live, o)
	if live.Stuck != "" && dec.Launch > 0 {
		dec.Desired, dec.Launch = live.Workers, 0
		dec.Reason += ", held back: " + live.Stuck
	}
	return dec
}

// room is how many items the workers are there for, which may be more than have
// a slot at a time. Those that claim nothing are there for none.
func (c Count) room(perWorker int64) int64 {
	slots := int64(c.Slots)
	if slots == 0 {
		return 0
	}
	return max(slots, int64(c.Workers)*perWorker) * (slots - int64(c.Suspect)) / slots
}

// dueSoon is how many delayed items are due soon, as far as a depth can tell:
// it knows when the first is.
func dueSoon(d queue.Depth, soon time.Duration) int64 {
	if d.Paused || d.Delayed == 0 || d.NextDue < 0 || d.NextDue >= soon {
		return 0
	}
	return 1
}

func reason(dec Decision, live Count, o Options) string {
	more := dec.Wanted
	numbers := fmt.Sprintf("%d claimable, %d free slots in %d workers", dec.Claimable, dec.Spare, dec.Live)
	if o.ItemsPerWorker*live.Workers > live.Slots {
		numbers = fmt.Sprintf("%d claimable, room for %d in %d workers at %d items each", dec.Claimable, dec.Spare, dec.Live, o.ItemsPerWorker)
	}
	switch {
	case more > 0 && int64(dec.Live)+more > int64(o.Max):
		return fmt.Sprintf("%s: %d more wanted, held at the maximum of %d", numbers, more, o.Max)
	case int64(dec.Launch) > more:
		return fmt.Sprintf("%s: raised to the minimum of %d", numbers, o.Min)
	case dec.Launch > 0:
		return fmt.Sprintf("%s: %d more", numbers, dec.Launch)
	}
	return numbers + ": enough"
}
