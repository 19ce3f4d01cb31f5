package main

import (
	"context"
	"io"
	"sync"
	"time"

	"sluice.dev/internal/console"
	"sluice.dev/queue"
	"sluice.dev/worker"
)

const (
	// reportLines is how many failed attempts have lines of their own in each
	// reportEvery: a command that fails at once must not fill a log.
	reportLines = 10
	reportEvery = time.Second
	// limitFresh is how long a queue's backoffLimit counts as read, and limitWait
	// how long to wait for it.
	limitFresh = time.Second
	limitWait  = time.Second
)

// workReport tells of the attempts that fail while a worker works, and at its end
// how many did.
type workReport struct {
	w     io.Writer
	wake  chan struct{} // something waits
	stop  chan struct{}
	ended chan struct{}

	mu      sync.Mutex
	done    int64
	waiting []failedAttempt

	// The rest is the goroutine's.
	total  console.Attempts
	hidden console.Attempts // that have no line
	lines  int              // since the pause began
	pause  <-chan time.Time // nil: no line was written lately
}

// failedAttempt is one that has not been told of.
type failedAttempt struct {
	desk *desk
	end  worker.End
}

// desk is where the attempts of one queue are told of.
type desk struct {
	report *workReport
	name   string // of the queue, "" if there is no other
	policy func(context.Context) (queue.Policy, error)

	limit  int
	readAt time.Time
}

// newWorkReport is a report that writes to w. It has a goroutine, which close ends.
func newWorkReport(w io.Writer) *workReport {
	r := &workReport{w: w, wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	go r.loop()
	return r
}

// desk is one for a queue, with a way to read its policy.
func (r *workReport) desk(name string, policy func(context.Context) (queue.Policy, error)) *desk {
	return &desk{report: r, name: name, policy: policy, limit: *queue.DefaultPolicy().BackoffLimit}
}

// settled notes how a lease ended. It does not block.
func (d *desk) settled(e worker.End) {
	if e.Err != nil { // another has the item, or will
		return
	}
	r := d.report
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Verb {
	case queue.Ack:
		r.done++
	case queue.Nack, queue.Bury:
		r.waiting = append(r.waiting, failedAttempt{d, e})
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// dead tells whether the item of a failed attempt is not tried again. The worker
// has heard only that the store took its failure: the limit is the queue's, and
// somebody may change it at any time.
func (d *desk) dead(e worker.End) bool {
	if e.Verb == queue.Bury {
		return true
	}
	if now := time.Now(); d.readAt.IsZero() || now.Sub(d.readAt) >= limitFresh {
		ctx, cancel := context.WithTimeout(context.Background(), limitWait)
		defer cancel()
		if p, err := d.policy(ctx); err == nil {
			d.limit = *p.BackoffLimit
		}
		d.readAt = time.Now()
	}
	return e.Lease.Attempt > d.limit
}

// close tells what is left to tell, and the counts. No attempt is settled any more.
func (r *workReport) close() {
	close(r.stop)
	<-r.ended
}

func (r *workReport) loop() {
	defer close(r.ended)
	for {
		select {
		case <-r.wake:
			r.tell()
		case <-r.pause:
			r.more()
		case <-r.stop:
			r.tell()
			r.more()
			r.total.Done = r.done
			_, _ = io.WriteString(r.w, r.total.Line())
			return
		}
	}
}

// tell writes a line for each attempt that waits, while there is room.
func (r *workReport) tell() {
	r.mu.Lock()
	waiting := r.waiting
	r.waiting = nil
	r.mu.Unlock()
	for _, f := range waiting {
		one := console.Attempts{Failed: 1}
		dead := f.desk.dead(f.end)
		if dead {
			one.Dead = 1
		}
		add(&r.total, one)
		if r.pause == nil {
			r.pause = time.After(reportEvery)
		}
		if r.lines == reportLines {
			add(&r.hidden, one)
			continue
		}
		r.lines++
		_, _ = io.WriteString(r.w, console.FailedAttempt{
			Queue: f.desk.name, Item: f.end.Lease.Item, Attempt: f.end.Lease.Attempt, Failure: f.end.Failure, Dead: dead,
		}.Line())
	}
}

// more says how many had no line, and makes room for lines.
func (r *workReport) more() {
	if r.hidden.Failed > 0 {
		_, _ = io.WriteString(r.w, r.hidden.More())
	}
	r.hidden, r.lines, r.pause = console.Attempts{}, 0, nil
}

func add(to *console.Attempts, a console.Attempts) {
	to.Done += a.Done
	to.Dead += a.Dead
	to.Failed += a.Failed
}
