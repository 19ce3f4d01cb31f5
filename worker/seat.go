package worker

import "time"

// sit starts what is queued in the slots that the worker may have, and gives
// back those that it has no use for. While others wait for a slot, it keeps one
// only for as long as the leases of one claim last: that is its turn.
func (d *dispatcher) sit(now time.Duration) {
	for again := true; again; again = d.startable(now) {
		d.startQueued(now)
		d.turn(now)
	}
	if d.crowd.full && d.willing() && !d.hungry && !d.wait.busy && !d.exchange.busy {
		// A ring is for a worker that can use it, so this one does not
		// listen: it looks when its turn comes.
		d.hungry = true
		d.turn(now)
	}
}

func (d *dispatcher) startQueued(now time.Duration) {
	for d.startable(now) {
		d.start()
	}
}

// turn gives the free slots back and asks for those that it has use for, which
// may be the same.
func (d *dispatcher) turn(now time.Duration) {
	var give, got []int
	if !d.claiming {
		give, d.free = d.free, nil
	}
	got, d.crowd = d.pool.turn(d.member, now, d.busy, give, d.use())
	d.free = append(d.free, got...)
}

// use is how many more slots the worker has use for.
func (d *dispatcher) use() int {
	switch {
	case len(d.queued) > 0:
		return len(d.queued)
	case d.claiming || !d.willing() || !d.mayTrade() || !d.hungry && len(d.ended) == 0:
		return 0
	case d.suspicion.onTrial():
		return 1
	}
	return d.o.Slots
}
