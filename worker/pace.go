package worker

import "time"

const (
	// aheadWork is how much work of each slot one exchange should carry, so
	// that its round trip is small beside it.
	aheadWork = 50 * time.Millisecond
	// maxAhead bounds the leases of a slot, the running one among them, and
	// maxAheadInAll those that are not started, of all slots together.
	maxAhead      = 64
	maxAheadInAll = 4 * maxExchange
)

// pace is a moving average of how long successful handlers take. Failures do
// not count: a broken command fails fast, and must not claim ahead for it. The
// zero pace knows nothing.
type pace struct{ mean time.Duration }

// add counts one handler that took so long, an eighth against all before it:
// one long item ends claiming ahead at once, and many short ones resume it.
func (p *pace) add(took time.Duration) {
	took = max(took, 1)
	if p.mean == 0 {
		p.mean = took
	}
	p.mean += (took - p.mean) / 8
}

// leases is how many leases a worker should hold for its slots: as many for
// each as fill aheadWork, within the bounds; one while nothing is known.
func (p *pace) leases(slots int) int {
	if p.mean == 0 {
		return slots
	}
	perSlot := int(min(max(aheadWork/p.mean, 1), maxAhead))
	return min(slots*perSlot, slots+maxAheadInAll)
}
