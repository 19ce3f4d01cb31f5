package command

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice.dev/internal/boottime"
	"sluice.dev/queue"
)

// ending is why a command ended.
type ending uint8

const (
	onItsOwn  ending = iota
	leaseLost        // another may hold the item: killed at once
	shutdown         // the worker leaves: told to end
	overdue          // ran past the item deadline: told to end
	stalled          // wrote nothing for too long: told to end
)

// cancelled tells what the end of ctx means. A cause that nobody stated is a
// request to leave.
func cancelled(ctx context.Context) ending {
	if errors.Is(context.Cause(ctx), queue.ErrLeaseLost) {
		return leaseLost
	}
	return shutdown
}

// lost tells whether ctx has ended with the lease.
func lost(ctx context.Context) bool { return ctx.Err() != nil && cancelled(ctx) == leaseLost }

// lookEvery bounds how long a limit that passed during a suspend goes
// unnoticed: Go's timers stand still meanwhile, the clock of limits does not.
const lookEvery = time.Second

// watch ends a running group when its lease is lost, the worker leaves or a
// limit passes. It costs no goroutine while nothing of that happens: the
// handler's own waits for the leader, and what does happen calls in.
//
// A group is told to end with SIGTERM and killed after the grace, or as soon as
// its leader has ended. A lost lease kills it at once.
type watch struct {
	g           *group
	output      *capture
	stall       time.Duration // 0: none
	grace       time.Duration
	unsubscribe func() bool

	mu       sync.Mutex
	over     bool   // the leader has ended: no more signals
	why      ending // onItsOwn until the group is told or killed
	timer    *time.Timer
	deadline time.Duration // by boottime: of the run, then of the grace; 0: none
	changed  time.Duration // by boottime: when the output was last seen to have changed
	sizes    [2]int64      // what it was then
}

func (h *Handler) watch(ctx context.Context, g *group, output *capture) *watch {
	w := &watch{g: g, output: output, stall: h.o.Stall, grace: h.o.Grace}
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.o.ItemDeadline > 0 || h.o.Stall > 0 {
		w.changed = boottime.Now()
		if h.o.ItemDeadline > 0 {
			w.deadline = w.changed + h.o.ItemDeadline
		}
		w.timer = time.AfterFunc(w.next(w.changed), w.look)
	}
	w.unsubscribe = context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.end(cancelled(ctx))
	})
	return w
}

// close ends the watch after the leader has ended, and tells why that was.
func (w *watch) close() ending {
	w.unsubscribe()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
	return w.why
}

// end makes the group end. Only a lost lease is news to a group that was told
// already. w.mu is held.
func (w *watch) end(why ending) {
	switch {
	case w.over:
	case why == leaseLost:
		w.why = why
		w.g.kill()
	case w.why == onItsOwn:
		w.why = why
		w.g.terminate()
		now := boottime.Now()
		w.deadline, w.stall = now+w.grace, 0
		if w.timer == nil {
			w.timer = time.AfterFunc(w.next(now), w.look)
		} else {
			w.timer.Reset(w.next(now))
		}
	}
}

// look is called by the timer, and sets it again until a limit has passed.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := boottime.Now()
	switch {
	case w.over:
	case w.deadline > 0 && now >= w.deadline && w.why != onItsOwn:
		w.g.kill()
	case w.deadline > 0 && now >= w.deadline:
		w.end(overdue)
	case w.stall > 0 && w.silent(now) >= w.stall:
		w.end(stalled)
	default:
		w.timer.Reset(w.next(now))
	}
}

// next is how long until it is worth looking. w.mu is held.
func (w *watch) next(now time.Duration) time.Duration {
	d := lookEvery
	if w.deadline > 0 {
		d = min(d, w.deadline-now)
	}
	if w.stall > 0 {
		d = min(d, w.changed+w.stall-now)
	}
	return max(d, 0)
}

// silent is how long neither stdout nor stderr has changed, by the looks that
// were taken. w.mu is held.
func (w *watch) silent(now time.Duration) time.Duration {
	stdout, stderr, err := w.output.sizes()
	if sizes := [2]int64{stdout, stderr}; err == nil && sizes != w.sizes {
		w.sizes, w.changed = sizes, now
	}
	return now - w.changed
}
