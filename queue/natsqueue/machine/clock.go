package machine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
)

// The longest that a worker is remembered after its last exchange, and how
// often it is looked for those that are to be forgotten.
const (
	workerMemory = int64(time.Hour / time.Microsecond)
	workerSweep  = workerMemory / 6
)

// digs is how many items of deleted batches each move of the clock forgets.
const digs = 1000

// Now moves the clock on, to microseconds since 1970, and does what time does:
// leases end, delays end, batches meet their deadlines, done records are
// forgotten. A time before the latest is taken for the latest. It comes before
// every command.
func (m *Machine) Now(now int64) {
	m.now = max(m.now, now)
	m.dig(digs)
	m.overdue()
	m.expire()
	m.arrive()
	m.outlive()
	m.silence()
	m.unblock()
}

// Due is when the clock has something to do next, if nothing is asked before.
func (m *Machine) Due() (at int64, ok bool) {
	m.prune()
	sooner := func(t int64) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	if len(m.leased) > 0 {
		sooner(m.leased[0].at)
	}
	if len(m.delayed) > 0 {
		sooner(m.delayed[0].at)
	}
	if len(m.deadlines) > 0 {
		sooner(m.deadlines[0].deadline)
	}
	if m.done.head != nil {
		sooner(m.done.head.at + micros(m.policy.Retention) + 1)
	}
	if len(m.graves) > 0 {
		sooner(m.now)
	}
	return at, ok
}

// prune takes out of the heap what its batch has made to wait for nothing.
func (m *Machine) prune() {
	for len(m.delayed) > 0 && (m.delayed[0].of.void || m.delayed[0].of.deleted) {
		m.delayed.remove(m.delayed[0])
	}
}

// overdue cancels the batches whose deadline has passed.
func (m *Machine) overdue() {
	for len(m.deadlines) > 0 && m.deadlines[0].deadline <= m.now {
		m.void(m.deadlines[0], "DeadlineExceeded")
	}
}

// void cancels a batch, unless it has ended.
func (m *Machine) void(b *batch, reason string) {
	if b.ended() {
		if b.deadline > 0 && b.deadline <= m.now {
			m.factBatch(factPast, b)
		}
		return
	}
	m.decide(func(w *bin.Writer) {
		w.Byte(factVoid)
		w.Uint(b.serial)
		w.String(reason)
	})
}

// expire ends the leases whose deadline has passed. Their holders may still
// come back for them: see hold.
func (m *Machine) expire() {
	for len(m.leased) > 0 && m.leased[0].at <= m.now {
		it := m.leased[0]
		m.fail(it, byLapse|toBack, it.at, 0, queue.Failure{
			Cause: queue.CauseLeaseExpired, Message: fmt.Sprintf("worker %s did not renew its lease", it.body.worker),
		})
	}
}

// fail counts an attempt that ended at a time: again after a delay, dead past
// the limit.
func (m *Machine) fail(it *item, how byte, at int64, after time.Duration, f queue.Failure) {
	if int(it.attempts)+1 > *m.policy.BackoffLimit {
		m.end(it, how|attempt, f)
		return
	}
	due := at + m.delay(it, int(it.attempts)+1, after)
	m.decide(func(w *bin.Writer) {
		w.Byte(factFail)
		w.Uint(it.serial)
		w.Byte(how | attempt)
		w.Int(due - m.now)
		writeFailure(w, f)
	})
}

// end makes an item dead.
func (m *Machine) end(it *item, how byte, f queue.Failure) {
	m.decide(func(w *bin.Writer) {
		w.Byte(factDead)
		w.Uint(it.serial)
		w.Byte(how)
		writeFailure(w, f)
	})
}

// delay is how long the nth wait of an item is: doubled from the first, with
// up to a tenth of jitter, which comes of the token so that no two retries
// keep pace.
func (m *Machine) delay(it *item, n int, after time.Duration) int64 {
	if after > 0 {
		return micros(after)
	}
	d, most := m.policy.RetryDelay, m.policy.RetryDelayMax
	for ; n > 1 && d < most; n-- {
		d *= 2
	}
	d = min(d, most)
	jitter := it.token * 0x9e3779b97f4a7c15 >> 54 // of 1024
	return micros(d + d/10*time.Duration(jitter)/1024)
}

// arrive makes ready what was delayed until now.
func (m *Machine) arrive() {
	for m.prune(); len(m.delayed) > 0 && m.delayed[0].at <= m.now; m.prune() {
		m.factItems(factDue, m.delayed[:1])
	}
}

// outlive forgets the done records that are past the retention.
func (m *Machine) outlive() {
	old := m.now - micros(m.policy.Retention)
	var past []*item
	for it := m.done.head; it != nil && it.at < old; it = it.next {
		if !it.of.deleted {
			past = append(past, it)
		}
	}
	m.factItems(factForget, past)
}

// silence forgets the workers that have been silent for long and hold nothing, with
// their last replies.
func (m *Machine) silence() {
	if m.now-m.swept < workerSweep {
		return
	}
	m.swept = m.now
	leases := m.holders()
	for _, name := range slices.Sorted(maps.Keys(m.workers)) {
		if m.now-m.workers[name].seen > workerMemory && leases[name] == 0 {
			m.factName(factSilent, name)
		}
	}
}
