package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"sluice.dev/internal/boottime"
	"sluice.dev/queue"
)

// Defaults and limits of Options.
const (
	DefaultGrace        = 30 * time.Second
	DefaultSuspectAfter = 5
	MaxSlots            = 4096
)

// Options says how a worker works. The zero value is a good worker.
type Options struct {
	// ID names the worker to the store. No other worker may ever have it.
	// "": made from the host's name, the process id and a UUID.
	ID string
	// Slots is how many handlers run at once, 1 to MaxSlots. 0: 1; in a
	// Group, all that the group has.
	Slots int
	// Lease is the queue's lease, a third of which passes between two
	// renewals. 0: what the queue's policy says when Run begins.
	Lease time.Duration
	// Grace is how long handlers may run on after Drain. 0: DefaultGrace.
	// Negative: not at all.
	Grace time.Duration
	// LeaveWhenIdle has the worker ask to leave once it has held no lease for
	// Idle. It is granted if nothing is claimable or comes due within Idle.
	// Idle says nothing without it, and is an error.
	LeaveWhenIdle bool
	Idle          time.Duration
	// SuspectAfter is how many distinct items must fail alike, with no
	// success between, before the worker suspects itself and stops claiming
	// for a while. 0: DefaultSuspectAfter. Negative: never.
	SuspectAfter int

	Observer Observer
	Logger   *slog.Logger // nil: says nothing
}

// Observer is told what a worker does. A nil function is not called. The
// worker calls them one at a time and does nothing else meanwhile, so they
// must not block.
type Observer struct {
	// Started is called before an item's handler.
	Started func(l queue.Lease, slot int)
	// Settled is called when a lease has ended, whether it was started or not.
	Settled func(End)
	// Suspect is called with a reason each time that the worker stops
	// claiming since too much failed alike, and with "" when an item has
	// succeeded after that.
	Suspect func(reason string)
}

// End is how a lease ended.
type End struct {
	queue.Settlement
	Slot int           // 0: it was never started
	Took time.Duration // by its handler
	// Err is nil if the store took the settlement; queue.ErrLeaseLost if the
	// item is another's, so that the settlement changed nothing; otherwise
	// why it could not be sent, and the lease expires.
	Err error
}

// Result is why a worker's Run ended.
type Result uint8

// The reasons to end.
const (
	ResultStopped Result = iota // its context ended, or an error did
	ResultDrained               // Drain was called; the queue may have work left
	ResultLeft                  // the store allowed it to leave
)

func (r Result) String() string {
	return [...]string{"stopped", "drained", "left"}[min(r, ResultLeft)]
}

// Worker claims items of a queue and has a Handler work on them.
type Worker struct {
	q         *queue.Queue
	h         Handler
	o         Options
	seat      seat                 // in a Group; zero for a worker alone
	clock     func() time.Duration // runs through suspend
	drain     chan struct{}
	drainOnce sync.Once
	runOnce   sync.Once
}

// New is a worker that does nothing until Run.
func New(q *queue.Queue, h Handler, o Options) *Worker {
	return &Worker{q: q, h: h, o: o, clock: boottime.Now, drain: make(chan struct{})}
}

// Run works until the worker may leave, is drained, or ctx ends, and returns
// when every handler has returned and every lease is settled. It may be called
// once.
//
// When ctx ends the handlers' contexts end at once, with cause ErrShutdown, and
// what they return is settled. Run has no way to end a handler that does not
// heed its context: it waits. After the last handler it tries for a few seconds
// to settle what is left; if the store does not answer the leases expire, and
// the error says so.
//
// A store that becomes unavailable is no error: the worker goes on when it
// answers again. Any other error of the store stops the worker as the end of
// ctx does, and is returned; so is any error of reading the queue's lease.
func (w *Worker) Run(ctx context.Context) (Result, error) {
	again := true
	w.runOnce.Do(func() { again = false })
	if again {
		return ResultStopped, errors.New("worker: Run was called before")
	}
	o, err := w.complete()
	if err != nil {
		return ResultStopped, fmt.Errorf("worker: %w", err)
	}
	if o.Lease == 0 {
		o.Lease, err = w.lease(ctx)
		switch {
		case errors.Is(err, errStopped):
			return ResultStopped, nil
		case err != nil:
			return ResultStopped, fmt.Errorf("worker: read the queue's policy: %w", err)
		}
	}
	result, err := newDispatcher(ctx, w, o).run(ctx.Done(), w.drain)
	if err != nil {
		return result, fmt.Errorf("worker: %w", err)
	}
	return result, nil
}

// Drain has the worker stop claiming, give back what it has not started, and
// finish what runs: handlers that run for longer than Options.Grace have their
// context ended with cause ErrShutdown. Run returns after that. Drain returns
// at once and may be called at any time, more than once.
func (w *Worker) Drain() { w.drainOnce.Do(func() { close(w.drain) }) }

var errStopped = errors.New("the context has ended")

// lease is what the queue's policy says. The error is errStopped if ctx ends.
func (w *Worker) lease(ctx context.Context) (time.Duration, error) {
	p, err := w.q.SetPolicy(ctx, queue.Policy{}, false)
	if ctx.Err() != nil {
		return 0, errStopped
	}
	return p.Lease, err
}

// complete is the worker's complete options.
func (w *Worker) complete() (Options, error) {
	o := w.o
	if p := w.seat.pool; p != nil && o.Slots == 0 {
		o.Slots = p.slots
	}
	return o.complete()
}

// complete checks the options and fills in the defaults, but for Lease.
func (o Options) complete() (Options, error) {
	switch {
	case o.Slots < 0 || o.Slots > MaxSlots:
		return o, fmt.Errorf("slots %d is out of range: 1 to %d, or 0 for 1", o.Slots, MaxSlots)
	case o.Idle < 0:
		return o, fmt.Errorf("idle %s is negative: 0 or more is allowed", o.Idle)
	case o.Idle > 0 && !o.LeaveWhenIdle:
		return o, fmt.Errorf("idle %s has no effect without leaveWhenIdle: set both or neither", o.Idle)
	}
	if err := (queue.Policy{Lease: o.Lease}).Validate(); err != nil {
		return o, err
	}
	if o.ID == "" {
		o.ID = newID()
	}
	if err := queue.ValidateWorker(o.ID); err != nil {
		return o, err
	}
	o.Slots = max(o.Slots, 1)
	switch {
	case o.Grace == 0:
		o.Grace = DefaultGrace
	case o.Grace < 0:
		o.Grace = 0
	}
	if o.SuspectAfter == 0 {
		o.SuspectAfter = DefaultSuspectAfter
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// newID is an id that no other worker ever has.
func newID() string {
	host, err := os.Hostname()
	if err != nil || len(host) > 128 || queue.ValidateWorker(host) != nil {
		host = "worker"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), uuid.NewString())
}
