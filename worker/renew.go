package worker

import (
	"context"
	"errors"
	"time"

	"sluice.dev/queue"
)

// minLease is the shortest lease that a policy may have.
const minLease = time.Second

// extended is the answer to a renewal.
type extended struct {
	held  []*holding
	from  time.Duration // when it began
	lease time.Duration // of the policy after it; 0 if it could not be read
	errs  []error       // one for each of held
	err   error
}

// renew extends every lease that is held, started or not, in one call.
func (d *dispatcher) renew(now time.Duration) {
	x := extended{from: now}
	x.held = append(x.held, d.queued...)
	for _, h := range d.slots {
		if h != nil && !h.lost {
			x.held = append(x.held, h)
		}
	}
	d.beatAt = now + d.o.Lease/3
	if len(x.held) == 0 {
		return
	}
	leases := make([]queue.Lease, len(x.held))
	for i, h := range x.held {
		leases[i] = h.lease
	}
	d.extend.start(func() extended {
		// A deadline counts from before the call, so one that drags on is
		// better begun anew.
		ctx, cancel := context.WithTimeout(d.calls, d.o.Lease/3)
		defer cancel()
		if x.errs, x.err = d.store.Extend(ctx, leases); x.err == nil {
			// What runs for long claims nothing, by which a worker would learn
			// that the lease is shorter now. A failure is the next call's to meet.
			x.lease, _ = d.lease(ctx)
		}
		return x
	})
}

// renewed takes the answer to a renewal.
func (d *dispatcher) renewed(x extended) {
	if x.err != nil {
		if !d.deaf {
			d.o.Logger.Warn("leases could not be renewed", "worker", d.o.ID, "leases", len(x.held), "error", x.err)
		}
		d.deaf = true
		return
	}
	if d.deaf {
		d.o.Logger.Info("leases are renewed again", "worker", d.o.ID)
	}
	d.deaf = false
	if x.lease > 0 && x.lease < d.o.Lease {
		d.o.Lease = max(x.lease, minLease)
		d.beatAt = min(d.beatAt, x.from+d.o.Lease/3)
	}
	for i, h := range x.held {
		switch err := x.errs[i]; {
		case err == nil:
			h.deadline.Store(int64(max(h.ends(), x.from+d.o.Lease)))
		case errors.Is(err, queue.ErrLeaseLost):
			d.lose(h, "the store has given the item to another")
		}
	}
}

// checkDeadlines ends the leases whose renewal did not come in time. The store
// may still regard them as this worker's, but nothing says so.
func (d *dispatcher) checkDeadlines(now time.Duration) {
	for _, h := range d.slots {
		if h != nil && now >= h.ends()+d.storeGrace {
			d.lose(h, "it could not be renewed before its deadline")
		}
	}
	if len(d.queued) > 0 && now >= d.queued[0].taken+staleAfter {
		d.pace = pace{}
		d.giveBack("the worker was too slow to start it")
	}
}
