package natsqueue

import (
	"slices"
	"time"
)

const (
	// ringAgain is after which time somebody else is rung if what is ready
	// still is: who was rung may have been killed.
	ringAgain = 250 * time.Millisecond
	// parkedFor is how long a waiter stays without saying that it still waits.
	parkedFor = 3 * repark
)

// waiters are those who wait for something to claim, longest first. They are
// rung one for each item that is ready, and no more.
type waiters struct {
	parked []waiter
	rung   int64 // that have not claimed since
	at     time.Time
}

type waiter struct {
	id     uint64
	to     string
	worker string
	until  time.Time
}

// park adds a waiter, or hears that it still waits.
func (w *waiters) park(x waiter) {
	x.until = time.Now().Add(parkedFor)
	for i := range w.parked {
		if w.parked[i].id == x.id {
			w.parked[i] = x
			return
		}
	}
	w.parked = append(w.parked, x)
}

// unpark forgets a waiter.
func (w *waiters) unpark(id uint64) {
	for i := range w.parked {
		if w.parked[i].id == id {
			w.parked = append(w.parked[:i], w.parked[i+1:]...)
			return
		}
	}
}

// claimed notes that somebody who may have been rung has come.
func (w *waiters) claimed() { w.rung = max(w.rung-1, 0) }

// ring rings for what is ready.
func (w *waiters) ring(l *leader) {
	if len(w.parked) == 0 {
		return
	}
	now := time.Now()
	if now.Sub(w.at) >= ringAgain {
		w.rung = 0
	}
	for n := l.m.Claimable() - w.rung; n > 0 && len(w.parked) > 0; {
		first := w.parked[0]
		w.parked = w.parked[1:]
		if now.After(first.until) {
			continue
		}
		n, w.rung, w.at = n-1, w.rung+1, now
		l.send(out{to: first.to, status: answered})
	}
}

// letGo rings for a worker that may leave.
func (w *waiters) letGo(l *leader, worker string) {
	w.parked = slices.DeleteFunc(w.parked, func(x waiter) bool {
		if x.worker == worker {
			l.send(out{to: x.to, status: answered})
		}
		return x.worker == worker
	})
}

// again tells whether those who were rung are to be looked after.
func (w *waiters) again(l *leader) bool { return len(w.parked) > 0 && l.m.Claimable() > 0 }

// dismiss tells all of them to ask whoever leads next.
func (w *waiters) dismiss(l *leader) {
	for _, x := range w.parked {
		l.send(out{to: x.to, status: nobody})
	}
	w.parked = nil
}
