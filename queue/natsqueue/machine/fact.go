package machine

import (
	"time"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
)

// The facts of a log. Their numbers and what follows them are for ever: a log
// outlives the version that wrote it. What changes gets a new number.
//
// Batches and items go by their serials. A time is told as how long after the
// latest clock it is.
const (
	factClock    = iota + 1 // micros since the last
	factBatch               // name, after, waits, deadline (0: none)
	factAdd                 // call, items: id, batch, priority, digest, delay (0: none), output, payload
	factTake                // worker, number, settled, gone, lease, first token, items
	factDone                // item, result
	factFail                // item, how, due (may be past), failure
	factDead                // item, how, failure
	factRelease             // item, whether it counts, delay (0: none)
	factDue                 // items
	factExtend              // lease, items
	factRevive              // item, lease
	factCommit              // item, record
	factForget              // items
	factRetry               // item
	factCancel              // item
	factSeal                // batch
	factSuspend             // batch
	factResume              // batch
	factVoid                // batch, reason
	factPast                // batch: its deadline means nothing any more
	factDelete              // batch
	factUnblock             // batch
	factPolicy              // what is stated: see writePolicy
	factPause               // whether
	factLeave               // worker
	factDeadWork            // worker
	factSilent              // worker
	factAnswer              // call, answer
	factState               // and the rest are of snapshots: see snapshot.go
	factBatchIs
	factItemIs
	factWorkerIs
)

// How an attempt ended.
const (
	toBack   = 1 << iota // it goes before what was never tried
	byLapse              // its lease ran out: it is its holder's until another gets it
	attempt              // it counts an attempt
	disrupts             // it counts a release
)

func (m *Machine) factBatch(fact byte, b *batch) {
	m.decide(func(w *bin.Writer) {
		w.Byte(fact)
		w.Uint(b.serial)
	})
}

func (m *Machine) factItem(fact byte, it *item) {
	m.decide(func(w *bin.Writer) {
		w.Byte(fact)
		w.Uint(it.serial)
	})
}

func (m *Machine) factItems(fact byte, items []*item) {
	if len(items) == 0 {
		return
	}
	m.decide(func(w *bin.Writer) {
		w.Byte(fact)
		writeItems(w, items)
	})
}

func (m *Machine) factName(fact byte, name string) {
	m.decide(func(w *bin.Writer) {
		w.Byte(fact)
		w.String(name)
	})
}

func writeItems(w *bin.Writer, items []*item) {
	w.Uint(uint64(len(items)))
	for _, it := range items {
		w.Uint(it.serial)
	}
}

func writeBatch(w *bin.Writer, fact byte, name, after string, waits bool, deadline time.Duration) {
	w.Byte(fact)
	w.String(name)
	w.String(after)
	w.Bool(waits)
	w.Uint(uint64(micros(deadline)))
}

func writeFailure(w *bin.Writer, f queue.Failure) {
	w.String(string(f.Cause))
	w.String(f.Message)
	w.Int(int64(f.ExitCode))
	w.String(f.Stderr)
}

func readFailure(r *bin.Reader) queue.Failure {
	return queue.Failure{Cause: queue.Cause(r.String()), Message: r.String(), ExitCode: int(r.Int()), Stderr: r.String()}
}

// writePolicy writes what a policy states: 0 for what it does not, and numbers
// one higher than they are.
func writePolicy(w *bin.Writer, p queue.Policy) {
	for _, d := range []time.Duration{p.Lease, p.RetryDelay, p.RetryDelayMax, p.Retention} {
		w.Uint(uint64(d))
	}
	for _, n := range []*int{p.BackoffLimit, p.DisruptionLimit} {
		if n == nil {
			w.Uint(0)
		} else {
			w.Uint(uint64(*n) + 1)
		}
	}
}

func readPolicy(r *bin.Reader) (p queue.Policy) {
	for _, d := range []*time.Duration{&p.Lease, &p.RetryDelay, &p.RetryDelayMax, &p.Retention} {
		*d = time.Duration(r.Uint())
	}
	for _, n := range []**int{&p.BackoffLimit, &p.DisruptionLimit} {
		if v := r.Uint(); v > 0 {
			*n = new(int(v - 1))
		}
	}
	return p
}
