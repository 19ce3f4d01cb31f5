package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"sluice.dev/queue"
)

// holding is a lease that the worker has not ended.
type holding struct {
	lease    queue.Lease
	taken    time.Duration // when it came
	deadline atomic.Int64  // a time.Duration by the worker's clock; the handler reads it too
	slot     int           // 0 until it is started
	cancel   context.CancelCauseFunc
	lost     bool // its handler's outcome does not count
	over     bool // the worker is done with it
}

// ends is the lease's deadline, by the worker's clock.
func (h *holding) ends() time.Duration { return time.Duration(h.deadline.Load()) }

// returned is a handler's return.
type returned struct {
	h    *holding
	s    queue.Settlement
	took time.Duration
}

// take queues a lease that an exchange begun at from has granted.
func (d *dispatcher) take(l queue.Lease, from time.Duration) {
	h := &holding{lease: l, taken: d.clock()}
	h.deadline.Store(int64(from + l.TTL))
	if l.TTL < d.o.Lease { // the policy has changed
		d.o.Lease = max(l.TTL, minLease)
	}
	if beat := from + d.o.Lease/3; d.held() == 0 || beat < d.beatAt {
		d.beatAt = beat
	}
	if d.suspicion.onTrial() {
		d.trial = h
	}
	d.queued = append(d.queued, h)
}

// startable tells whether the oldest queued lease may be started in a free slot.
// One that a slow call granted may have no time left by now: its renewal, which is
// due or on the way, is awaited first, so that no handler is begun to be ended at once.
func (d *dispatcher) startable(now time.Duration) bool {
	return len(d.free) > 0 && len(d.queued) > 0 && d.queued[0].ends()-now > d.o.Lease/2
}

// start runs the handler of the oldest queued lease in a free slot.
func (d *dispatcher) start() {
	h := d.queued[0]
	d.queued = d.queued[1:]
	last := len(d.free) - 1
	h.slot, d.free = d.free[last], d.free[:last]
	d.slots[h.slot-1] = h
	d.busy++
	ctx, cancel := context.WithCancelCause(d.handlers)
	h.cancel = cancel
	if f := d.o.Observer.Started; f != nil {
		f(h.lease, h.slot)
	}
	go d.handle(ctx, h)
}

// handle runs the handler. It runs in a goroutine of its own.
func (d *dispatcher) handle(ctx context.Context, h *holding) {
	a := &Attempt{Lease: h.lease, Worker: d.o.ID, Slot: h.slot}
	a.commit = func(ctx context.Context, record []byte) error { return d.store.Commit(ctx, h.lease, record) }
	a.deadline = func() time.Time { return time.Now().Add(h.ends() - d.clock()) }
	began := time.Now()
	err := errors.New("the handler ended its goroutine")
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v, debug.Stack())
		}
		d.returned <- returned{h, Settlement(ctx, h.lease, a.Result, err), time.Since(began)}
	}()
	err = d.handler.Handle(ctx, a)
}

// panicked is the failure of a handler that panicked.
func panicked(v any, stack []byte) error {
	// Above the panic stand the frames that recovered it.
	if _, below, ok := bytes.Cut(stack, []byte("\npanic(")); ok {
		_, stack, _ = bytes.Cut(below, []byte("\n"))
		_, stack, _ = bytes.Cut(stack, []byte("\n"))
	}
	return Fail(queue.Failure{
		Cause:   queue.CauseError,
		Message: head(fmt.Sprintf("panic: %v\n%s", v, stack), maxMessageBytes),
	})
}

// finish takes a handler's return.
func (d *dispatcher) finish(r returned) {
	h := r.h
	h.over = true
	h.cancel(nil)
	d.slots[h.slot-1] = nil
	d.busy--
	d.free = append(d.free, h.slot)
	e := End{Settlement: r.s, Slot: h.slot, Took: r.took}
	if h.lost {
		e.Err = queue.ErrLeaseLost
		d.settled(e)
		return
	}
	d.ended = append(d.ended, e)
	if !d.leaving {
		d.learn(e)
	}
}

// learn draws conclusions from how a handler ended. A release says nothing.
func (d *dispatcher) learn(e End) {
	switch e.Verb {
	case queue.Ack:
		d.pace.add(e.Took)
		if d.suspicion.success() {
			d.paused, d.trial, d.hungry = false, nil, true
			d.suspect("")
		}
	case queue.Nack, queue.Bury:
		now := d.clock()
		if reason := d.suspicion.failure(now, e.Lease.Item.ID, e.Failure.Cause, e.Took); reason != "" {
			d.paused = true
			d.giveBack(suspectRelease)
			d.o.Logger.Warn("this worker is suspect and claims nothing", "worker", d.o.ID, "reason", reason, "for", d.suspicion.until-now)
			d.suspect(reason)
		}
	}
}

// suspectRelease is why a suspect worker gives back what it has not started.
const suspectRelease = "the worker is suspect: too much failed there"

// giveBack releases what is not started.
func (d *dispatcher) giveBack(why string) {
	for _, h := range d.queued {
		d.release(h, why)
	}
	d.queued = nil
}

// release ends a lease that was not started and is not in the queue any more.
func (d *dispatcher) release(h *holding, why string) {
	h.over = true
	d.ended = append(d.ended, End{Settlement: queue.Settlement{
		Lease: h.lease, Verb: queue.Release, Unstarted: true,
		Failure: queue.Failure{Cause: queue.CauseInterrupted, Message: why},
	}})
}

// lose ends a lease that is another's.
func (d *dispatcher) lose(h *holding, why string) {
	if h.over || h.lost {
		return
	}
	d.o.Logger.Warn("lease lost", "worker", d.o.ID, "item", h.lease.Item.ID, "attempt", h.lease.Attempt, "reason", why)
	h.lost = true
	if h.slot != 0 {
		h.cancel(queue.ErrLeaseLost)
		return
	}
	h.over = true
	d.queued = slices.DeleteFunc(d.queued, func(q *holding) bool { return q == h })
	d.settled(End{Settlement: queue.Settlement{Lease: h.lease, Verb: queue.Release}, Err: queue.ErrLeaseLost})
}

func (d *dispatcher) settled(e End) {
	if f := d.o.Observer.Settled; f != nil {
		f(e)
	}
}

func (d *dispatcher) suspect(reason string) {
	if f := d.o.Observer.Suspect; f != nil {
		f(reason)
	}
}
