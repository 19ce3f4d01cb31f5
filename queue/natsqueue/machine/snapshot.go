package machine

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
)

// format is the version of the facts. A machine refuses the snapshots of later
// ones; unknown facts are refused whatever the version.
const format = 1

// Snapshot is facts that bring an empty machine into this one's state, in
// chunks of about size bytes, each of whole facts. The machine must not change
// while it is read.
func (m *Machine) Snapshot(size int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		w := &bin.Writer{}
		cut := func(least int) bool {
			if len(w.B) < least || len(w.B) == 0 {
				return true
			}
			full := w.B
			w.B = make([]byte, 0, len(full))
			return yield(full)
		}
		m.writeState(w)
		for _, b := range m.batches {
			if writeBatchIs(w, b, m.clock); !cut(size) {
				return
			}
		}
		for it := range m.inOrder() {
			if writeItemIs(w, it, m.clock); !cut(size) {
				return
			}
		}
		for _, name := range slices.Sorted(maps.Keys(m.workers)) {
			if writeWorkerIs(w, name, m.workers[name], m.clock); !cut(size) {
				return
			}
		}
		for _, call := range m.answers.order {
			if writeAnswer(w, call, m.answers.by[call]); !cut(size) {
				return
			}
		}
		cut(0)
	}
}

// inOrder is every item: those that stand in a list in its order, so that the
// lists come back as they are.
func (m *Machine) inOrder() iter.Seq[*item] {
	return func(yield func(*item) bool) {
		walk := func(l *list) bool {
			for it := l.head; it != nil; it = it.next {
				if !it.of.deleted && !yield(it) {
					return false
				}
			}
			return true
		}
		for _, b := range m.batches {
			for p := range b.lists {
				for k := range b.lists[p] {
					if !walk(&b.lists[p][k]) {
						return
					}
				}
			}
		}
		if !walk(&m.done) {
			return
		}
		for _, p := range m.items {
			for _, it := range p.items {
				if it != nil && !it.of.deleted && it.place != listed && it.place != done && !yield(it) {
					return
				}
			}
		}
	}
}

func (m *Machine) writeState(w *bin.Writer) {
	w.Byte(factState)
	w.Uint(format)
	w.Uint(uint64(m.clock))
	w.Uint(m.token)
	w.Uint(m.serial)
	w.Uint(m.batchN)
	w.Bool(m.paused)
	writePolicy(w, m.stated)
}

func (m *Machine) applySnapshot(fact byte, r *bin.Reader) {
	switch fact {
	case factState:
		m.applyState(r)
	case factBatchIs:
		m.applyBatchIs(r)
	case factItemIs:
		m.applyItemIs(r)
	case factWorkerIs:
		m.applyWorkerIs(r)
	default:
		r.Fail(fmt.Errorf("fact %d is not known: %w", fact, errVersion))
	}
}

func (m *Machine) applyState(r *bin.Reader) {
	m.reset()
	if v := r.Uint(); v > format {
		r.Fail(fmt.Errorf("snapshot of format %d: %w", v, errVersion))
		return
	}
	m.clock, m.token, m.serial, m.batchN = int64(r.Uint()), r.Uint(), r.Uint(), r.Uint()
	m.now = m.clock
	m.paused, m.stated = r.Bool(), readPolicy(r)
	m.policy, _ = merge(queue.DefaultPolicy(), m.stated, true)
}

// flags packs truths into a number.
func flags(of ...bool) (n uint64) {
	for i, is := range of {
		if is {
			n |= 1 << i
		}
	}
	return n
}

func unpack(n uint64, into ...*bool) {
	for i, is := range into {
		*is = n&(1<<i) != 0
	}
}

func writeBatchIs(w *bin.Writer, b *batch, clock int64) {
	w.Byte(factBatchIs)
	w.Uint(b.serial)
	w.String(b.name)
	w.String(b.after)
	w.String(b.reason)
	w.Int(clock - b.made)
	w.Uint(uint64(b.within))
	w.Uint(uint64(b.deadline))
	w.Uint(flags(b.sealed, b.suspended, b.waits, b.void))
}

func (m *Machine) applyBatchIs(r *bin.Reader) {
	b := &batch{serial: r.Uint(), name: r.String(), after: r.String(), reason: r.String(), made: m.clock - r.Int(), within: int64(r.Uint())}
	deadline := int64(r.Uint())
	unpack(r.Uint(), &b.sealed, &b.suspended, &b.waits, &b.void)
	if r.Err() != nil {
		return
	}
	if n := len(m.batches); n > 0 && m.batches[n-1].serial >= b.serial || m.names[b.name] != nil {
		r.Fail(fmt.Errorf("batch %d comes twice: %w", b.serial, errNoFact))
		return
	}
	m.begin(b)
	m.setDeadline(b, deadline)
}

func writeItemIs(w *bin.Writer, it *item, clock int64) {
	w.Byte(factItemIs)
	w.Uint(it.serial)
	w.String(it.id)
	w.Uint(it.of.serial)
	w.Byte(byte(it.place))
	w.Byte(it.priority)
	w.Uint(flags(it.kind == fresh, it.lapsed, it.body != nil))
	w.Fixed(it.call)
	w.B = append(w.B, it.digest[:]...)
	w.Int(clock - it.at)
	w.Uint(it.token)
	w.Uint(uint64(it.attempts))
	w.Uint(uint64(it.releases))
	if b := it.body; b != nil {
		w.Bytes(b.payload)
		w.String(b.output)
		w.String(b.worker)
		h := b.had()
		w.Bytes(h.committed)
		w.Bytes(h.result)
		writeFailures(w, h.failures)
		writeFailures(w, h.before)
	}
}

func writeFailures(w *bin.Writer, fs []queue.Failure) {
	w.Uint(uint64(len(fs)))
	for _, f := range fs {
		writeFailure(w, f)
	}
}

func readFailures(r *bin.Reader) (fs []queue.Failure) {
	for range r.Count() {
		fs = append(fs, readFailure(r))
	}
	return fs
}

func (m *Machine) applyItemIs(r *bin.Reader) {
	it := &item{slot: noSlot, serial: r.Uint(), id: r.String()}
	it.of = m.batch(r.Uint())
	p := place(r.Byte())
	it.priority = r.Byte()
	var isFresh, full bool
	unpack(r.Uint(), &isFresh, &it.lapsed, &full)
	if isFresh {
		it.kind = fresh
	}
	it.call = r.Fixed()
	r.Fill(it.digest[:])
	at := m.clock - r.Int()
	it.token, it.attempts, it.releases = r.Uint(), uint32(r.Uint()), uint32(r.Uint())
	if full {
		it.body = &body{payload: r.Bytes(), output: r.String(), worker: r.String()}
		committed, result, failures, before := r.Bytes(), r.Bytes(), readFailures(r), readFailures(r)
		if committed != nil || result != nil || failures != nil || before != nil {
			it.body.past = &past{committed, result, failures, before}
		}
	}
	if r.Err() != nil {
		return
	}
	if it.of == nil || p == nowhere || p >= places || it.priority > queue.MaxPriority || !full && p != done || it.lapsed && (p == done || p == leased) ||
		m.items.get(it.serial) != nil {
		r.Fail(fmt.Errorf("item %d cannot be as it is told: %w", it.serial, errNoFact))
		return
	}
	if !m.enter(it) {
		r.Fail(fmt.Errorf("item %d has the id of another: %w", it.serial, errNoFact))
		return
	}
	if it.body != nil && it.body.had().committed != nil && p != done {
		m.publishing[it] = struct{}{}
	}
	m.put(it, p, at)
}

func writeWorkerIs(w *bin.Writer, name string, k *worker, clock int64) {
	w.Byte(factWorkerIs)
	w.String(name)
	w.Uint(k.number)
	w.Int(clock - k.seen)
	w.Uint(flags(k.gone, k.dead))
	w.Uint(uint64(len(k.settled)))
	for _, ok := range k.settled {
		w.Bool(ok)
	}
	w.Uint(uint64(len(k.grants)))
	for _, g := range k.grants {
		w.Uint(g.serial)
		w.Uint(g.token)
	}
}

func (m *Machine) applyWorkerIs(r *bin.Reader) {
	name := r.String()
	k := &worker{number: r.Uint(), seen: m.clock - r.Int()}
	unpack(r.Uint(), &k.gone, &k.dead)
	for range r.Count() {
		k.settled = append(k.settled, r.Bool())
	}
	for range r.Count() {
		k.grants = append(k.grants, grant{r.Uint(), r.Uint()})
	}
	m.workers[name] = k
}
