package worker

import (
	"context"
	"slices"
	"time"

	"sluice.dev/queue"
)

// maxExchange bounds what one exchange settles, and what it claims. Larger ones
// were no faster and hold up everybody else's calls of the store.
const maxExchange = 200

// exchanged is the answer to an exchange.
type exchanged struct {
	sent  []End
	claim int
	from  time.Duration // when it began: TTLs count from here
	reply queue.Reply
	err   error
}

// trade settles what has ended and claims, in one exchange.
func (d *dispatcher) trade(now time.Duration, claim int) {
	x := exchanged{claim: claim, from: now}
	n := min(len(d.ended), maxExchange)
	x.sent, d.ended = d.ended[:n:n], slices.Clone(d.ended[n:])
	d.exchangeFrom, d.silent, d.asked, d.claiming = now, false, false, claim > 0
	settle := make([]queue.Settlement, n)
	for i, e := range x.sent {
		settle[i] = e.Settlement
	}
	d.exchange.start(func() exchanged {
		x.reply, x.err = d.store.Exchange(d.calls, settle, claim)
		return x
	})
}

// replied takes the answer to an exchange.
func (d *dispatcher) replied(x exchanged) {
	d.claiming = false
	if x.err != nil {
		d.ended = append(x.sent, d.ended...)
		// Settling is tried once more, unless this was it.
		d.abandoned = d.leaving
		d.fail(x.err)
		return
	}
	if d.silent {
		d.o.Logger.Info("the store answers again", "worker", d.o.ID)
	}
	for i, e := range x.sent {
		e.Err = x.reply.Settled[i]
		d.settled(e)
	}
	for _, l := range x.reply.Leases {
		d.take(l, x.from)
	}
	if x.claim > 0 {
		d.hungry = len(x.reply.Leases) >= x.claim
		d.lookAt = d.clock() + max(x.reply.Next, time.Millisecond)
	}
	if x.reply.Gone && !d.leaving { // others may have asked for it, while this claimed its last item
		d.leaveBy(ResultLeft, never)
	}
	if d.leaving {
		d.giveBack(ErrShutdown.Error())
	} else if d.paused {
		d.giveBack(suspectRelease)
	}
}

// listen waits for a ring, or for the time that the store named.
func (d *dispatcher) listen(now time.Duration) {
	ctx, cancel := context.WithCancel(d.calls)
	limit := max(d.lookAt-now, time.Millisecond)
	d.cancelWait, d.waitEnd = cancel, now+limit
	d.wait.start(func() error {
		defer cancel()
		err := d.store.Wait(ctx, limit)
		if ctx.Err() != nil {
			return nil // called off
		}
		return err
	})
}

// rung takes the end of a wait.
func (d *dispatcher) rung(err error) {
	d.hungry = true
	if err != nil && !d.leaving {
		d.fail(err)
	}
}

// left is the answer to a request to leave.
type left struct {
	granted bool
	err     error
}

// mayLeave tells whether the worker has nothing to do and may ask to leave.
func (d *dispatcher) mayLeave() bool {
	return d.o.LeaveWhenIdle && !d.leaving && !d.paused && !d.asked && !d.hungry &&
		d.held()+len(d.ended) == 0 && !d.exchange.busy && !d.leave.busy
}

// ask asks to leave.
func (d *dispatcher) ask() {
	d.asked = true
	d.leave.start(func() (r left) {
		r.granted, r.err = d.store.Leave(d.calls, d.o.Idle)
		return r
	})
}

// answered takes the answer to a request to leave.
func (d *dispatcher) answered(r left) {
	switch {
	case r.err != nil && !d.leaving:
		d.fail(r.err)
	case r.granted:
		d.leaveBy(ResultLeft, d.clock())
	}
}
