package worker

import (
	"context"
	"fmt"
	"math"
	"time"

	"sluice.dev/queue"
)

const (
	// lookEvery is how often local deadlines are looked at.
	lookEvery = time.Second
	// settleTime is how long a worker that leaves tries to settle its leases
	// after its last handler has returned.
	settleTime = 5 * time.Second
	// gather is how long what has ended may wait for more of it, while the
	// worker has work at hand.
	gather = 20 * time.Millisecond
	// silence is how long a store may take to answer without a remark.
	silence = 5 * time.Second
	// staleAfter is how long a lease may be held and not started before it is
	// given back: whatever runs took longer than the pace made it seem, and
	// another worker may be idle.
	staleAfter = time.Second
)

// dispatcher is one Run. A single goroutine owns it and never blocks but for
// the next event: handlers, and calls of the store of which one of each kind
// is under way at most, run in goroutines of their own and answer over
// channels. What handlers finish while an exchange is under way is settled by
// the next one, together with a claim for the slots that they freed.
type dispatcher struct {
	o          Options // complete
	handler    Handler
	storeGrace time.Duration
	store      *queue.Session
	lease      func(context.Context) (time.Duration, error) // that the policy has now
	clock      func() time.Duration

	handlers context.Context // the parent of theirs: Run's, without its end
	calls    context.Context // of calls of the store
	hangUp   context.CancelFunc

	pool   *pool
	member *member // of it
	crowd  crowd   // what it said of the others

	queued   []*holding // not started, oldest first
	slots    []*holding // running, by slot - 1
	busy     int        // how many of them
	free     []int      // slots that are its own and not in use
	returned chan returned
	ended    []End // to be settled

	pace      pace
	suspicion suspicion
	paused    bool     // by the suspicion
	trial     *holding // the one item that a worker on trial has claimed

	exchange     call[exchanged]
	exchangeFrom time.Duration // when it began
	claiming     bool          // it claims for the slots that are free
	silent       bool          // it was remarked that the store does not answer
	hungry       bool          // there may be something to claim
	lookAt       time.Duration // when there may be, though no ring came

	wait       call[error]
	waitEnd    time.Duration // its limit
	cancelWait context.CancelFunc

	leave     call[left]
	idleSince time.Duration // when it last held a lease
	asked     bool          // to leave, since the last exchange

	extend call[extended]
	beatAt time.Duration // when to renew
	deaf   bool          // the last renewal failed

	scanAt time.Duration // when to look at deadlines

	leaving     bool
	graceEnd    time.Duration // when handlers are interrupted
	interrupted bool
	giveUpAt    time.Duration // when to hang up; 0 until the last handler returned
	abandoned   bool          // nothing more can be settled
	result      Result
	err         error
}

func newDispatcher(ctx context.Context, w *Worker, o Options) *dispatcher {
	s := w.seat
	if s.pool == nil {
		s.pool = newPool(o.Slots)
		s.member = s.pool.join(1, o.Slots)
	}
	d := &dispatcher{
		o:         o,
		handler:   w.h,
		store:     w.q.Session(o.ID),
		lease:     w.lease,
		clock:     w.clock,
		handlers:  context.WithoutCancel(ctx),
		pool:      s.pool,
		member:    s.member,
		slots:     make([]*holding, s.pool.slots),
		returned:  make(chan returned, s.pool.slots),
		suspicion: suspicion{after: o.SuspectAfter},
		exchange:  newCall[exchanged](),
		wait:      newCall[error](),
		leave:     newCall[left](),
		extend:    newCall[extended](),
		hungry:    true,
		idleSince: w.clock(),
	}
	d.calls, d.hangUp = context.WithCancel(d.handlers)
	if p, ok := w.h.(Persistent); ok {
		d.storeGrace = p.StoreGrace()
	}
	return d
}

// run turns events into actions until the worker has left.
func (d *dispatcher) run(stop, drain <-chan struct{}) (Result, error) {
	select {
	case <-stop:
		return ResultStopped, nil
	case <-drain:
		return ResultDrained, nil
	default:
	}
	defer d.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := d.clock()
		next := d.onTime(now)
		d.act(now)
		if d.over() {
			return d.result, d.conclude()
		}
		timer.Reset(next - now)
		select {
		case r := <-d.returned:
			d.finish(r)
			for range len(d.returned) {
				d.finish(<-d.returned)
			}
		case r := <-d.exchange.done:
			d.exchange.busy = false
			d.replied(r)
		case r := <-d.extend.done:
			d.extend.busy = false
			d.renewed(r)
		case err := <-d.wait.done:
			d.wait.busy = false
			d.rung(err)
		case r := <-d.leave.done:
			d.leave.busy = false
			d.answered(r)
		case <-d.member.wake:
		case <-timer.C:
		case <-drain:
			drain = nil
			if !d.leaving || d.graceEnd == never {
				d.leaveBy(ResultDrained, d.clock()+d.o.Grace)
			}
		case <-stop:
			stop = nil
			d.leaveBy(ResultStopped, d.clock())
		}
	}
}

// onTime does what is due and returns when the next thing is.
func (d *dispatcher) onTime(now time.Duration) (next time.Duration) {
	next = now + lookEvery
	due := func(on bool, at time.Duration) bool {
		if on && now < at {
			next = min(next, at)
		}
		return on && now >= at
	}
	if d.held()+len(d.ended) > 0 {
		d.idleSince = now
	}
	if d.leaving && d.busy == 0 && d.giveUpAt == 0 {
		d.giveUpAt = now + settleTime
		if d.graceEnd != never {
			d.giveUpAt = max(d.graceEnd, d.giveUpAt)
		}
	}
	if due(true, d.scanAt) {
		d.scanAt = now + lookEvery
		d.checkDeadlines(now)
	}
	if due(d.held() > 0 && !d.extend.busy, d.beatAt) {
		d.renew(now)
	}
	due(len(d.ended)+len(d.queued) > 0 && !d.exchange.busy, d.exchangeFrom+gather)
	if due(d.paused, d.suspicion.until) {
		d.paused, d.hungry = false, true
	}
	if due(d.wait.busy && !d.exchange.busy && d.lookAt < d.waitEnd, d.lookAt) {
		d.hungry = true
	}
	if due(d.mayLeave(), d.idleSince+d.o.Idle) {
		d.ask()
	}
	if due(d.exchange.busy && !d.silent, d.exchangeFrom+silence) {
		d.silent = true
		d.o.Logger.Warn("the store does not answer", "worker", d.o.ID)
	}
	if due(d.leaving && !d.interrupted, d.graceEnd) {
		d.interrupt()
	}
	if due(d.giveUpAt != 0, d.giveUpAt) {
		d.hangUp()
	}
	return next
}

// act starts whatever can be started now.
func (d *dispatcher) act(now time.Duration) {
	d.sit(now)
	want := d.want()
	if d.mayTrade() && (len(d.ended) > 0 || d.hungry && want > 0) && d.worth(now) {
		d.trade(now, want)
	}
	switch idle := d.willing() && (len(d.free) > 0 || d.crowd.room); {
	case d.wait.busy && !idle:
		d.cancelWait() // a ring is for a worker that can use it
	case !d.wait.busy && idle && !d.exchange.busy && !d.hungry:
		d.listen(now)
	}
}

// willing tells whether the worker would take one more item.
func (d *dispatcher) willing() bool {
	tried := d.suspicion.onTrial() && d.trial != nil && !d.trial.over
	return !d.leaving && !d.paused && !tried
}

// mayTrade tells whether an exchange may begin.
func (d *dispatcher) mayTrade() bool { return !d.exchange.busy && !d.leave.busy && !d.abandoned }

// worth tells whether an exchange is worth its round trip now. While there is
// work at hand, what has ended gathers until it is as much as that, or for a
// while.
func (d *dispatcher) worth(now time.Duration) bool {
	return d.leaving || len(d.queued) == 0 || len(d.ended) >= len(d.queued) || now >= d.exchangeFrom+gather
}

// want is how many more leases the worker has use for.
func (d *dispatcher) want() int {
	switch {
	case !d.willing():
		return 0
	case d.suspicion.onTrial():
		return min(1, len(d.free))
	case d.crowd.queue && len(d.free) == 0:
		return 0 // the next slot may be another's
	}
	return min(max(0, d.pace.leases(d.busy+len(d.free))-d.held()), maxExchange)
}

func (d *dispatcher) held() int { return len(d.queued) + d.busy }

// never is a graceEnd that does not come.
const never = time.Duration(math.MaxInt64)

// leaveBy has the worker claim nothing more, give back what is not started,
// and end when all handlers have returned, which are interrupted at graceEnd.
func (d *dispatcher) leaveBy(why Result, graceEnd time.Duration) {
	d.leaving, d.result, d.graceEnd, d.giveUpAt = true, why, graceEnd, 0
	d.giveBack(ErrShutdown.Error())
}

// fail stops the worker for an error of the store that no retry mends.
func (d *dispatcher) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.leaveBy(ResultStopped, d.clock())
}

// interrupt tells the handlers to return.
func (d *dispatcher) interrupt() {
	d.interrupted = true
	for _, h := range d.slots {
		if h != nil {
			h.cancel(ErrShutdown)
		}
	}
}

// over tells whether nothing is left to do.
func (d *dispatcher) over() bool {
	return d.leaving && d.held() == 0 && !d.exchange.busy && (d.abandoned || len(d.ended) == 0)
}

// conclude reports what could not be settled.
func (d *dispatcher) conclude() error {
	if len(d.ended) == 0 {
		return d.err
	}
	for _, e := range d.ended {
		e.Err = d.err
		d.settled(e)
	}
	return fmt.Errorf("%d leases were not settled and expire: %w", len(d.ended), d.err)
}

// close ends the calls that are under way and gives back the slots.
func (d *dispatcher) close() {
	d.pool.leave(d.member, d.clock(), d.free)
	d.hangUp()
	d.exchange.join()
	d.extend.join()
	d.wait.join()
	d.leave.join()
}

// call is a kind of call of the store, of which one may be under way.
type call[T any] struct {
	busy bool
	done chan T
}

func newCall[T any]() call[T] { return call[T]{done: make(chan T, 1)} }

func (c *call[T]) start(f func() T) {
	c.busy = true
	go func() { c.done <- f() }()
}

func (c *call[T]) join() {
	if c.busy {
		<-c.done
	}
}
