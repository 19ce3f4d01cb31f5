package machine

import (
	"cmp"
	"fmt"
	"slices"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
)

// apply applies the fact that r stands before. It is all that changes a
// machine, when a fact is decided and when it is replayed.
func (m *Machine) apply(r *bin.Reader) {
	fact := r.Byte()
	switch fact {
	case factClock:
		m.clock += int64(r.Uint())
		m.now = max(m.now, m.clock)
		return
	case factTake:
		m.applyTake(r)
		return
	case factAnswer:
		m.applyAnswer(r)
		return
	case factSilent:
		delete(m.workers, r.String())
		return
	}
	m.changed = true
	switch fact {
	case factAdd:
		m.applyAdd(r)
	case factDone, factFail, factDead, factRelease, factRevive, factCommit, factRetry, factCancel:
		if it := m.find(fact, r); it != nil {
			m.applyItem(fact, it, r)
		}
	case factDue, factExtend, factForget:
		m.applyItems(fact, r)
	case factBatch:
		m.applyOpen(r)
	case factSeal, factSuspend, factResume, factVoid, factPast, factDelete, factUnblock:
		b := m.batch(r.Uint())
		if b == nil {
			r.Fail(fmt.Errorf("fact %d of a batch that nobody knows: %w", fact, errNoFact))
			return
		}
		m.applyBatch(fact, b, r)
	case factPolicy:
		m.stated = readPolicy(r)
		m.policy, _ = merge(queue.DefaultPolicy(), m.stated, true)
	case factPause:
		m.paused = r.Bool()
	case factLeave:
		k := m.worker(r.String())
		k.gone, k.seen = true, m.clock
	case factDeadWork:
		k := m.worker(r.String())
		k.dead, k.seen = true, m.clock
	default:
		m.applySnapshot(fact, r)
	}
}

// find is the item whose serial r stands before, if the fact can be true of it.
func (m *Machine) find(fact byte, r *bin.Reader) *item {
	serial := r.Uint()
	it := m.items.get(serial)
	if it == nil || !fits(fact, it) {
		r.Fail(fmt.Errorf("fact %d of item %d: %w", fact, serial, errNoFact))
		return nil
	}
	return it
}

// fits tells whether a fact can be true of an item where it stands.
func fits(fact byte, it *item) bool {
	switch fact {
	case factDone, factFail, factDead, factRelease, factCommit, factExtend:
		return it.place == leased
	case factDue:
		return it.place == waiting
	case factTake:
		return it.place == listed
	case factRevive:
		return it.lapsed && it.place != leased
	case factRetry:
		return it.place == dead
	case factCancel:
		return it.place.queued()
	}
	return true
}

func (m *Machine) applyAdd(r *bin.Reader) {
	call := r.Fixed()
	for range r.Count() {
		m.serial++
		it := &item{id: r.String(), serial: m.serial, call: call, slot: noSlot, kind: fresh, body: &body{}}
		b := m.batch(r.Uint())
		it.of, it.priority = b, r.Byte()
		r.Fill(it.digest[:])
		delay := r.Uint()
		it.body.output, it.body.payload = r.String(), r.Bytes()
		if r.Err() == nil && (b == nil || it.priority > queue.MaxPriority || !m.enter(it)) {
			r.Fail(fmt.Errorf("item %d cannot be added: %w", m.serial, errNoFact))
		}
		if r.Err() != nil {
			return
		}
		if delay > 0 {
			m.put(it, waiting, m.clock+int64(delay))
		} else {
			m.put(it, listed, m.clock)
		}
	}
}

// enter makes an item known, unless another has its id. Of all that a replay
// does, finding the place of an id takes longest: so it is found once.
func (m *Machine) enter(it *item) bool {
	if len(m.graves) > 0 && m.known(it.id) == nil {
		delete(m.ids, it.id) // whoever had it lies in one
	}
	n := len(m.ids)
	if m.ids[it.id] = it; len(m.ids) == n {
		return false
	}
	m.items.set(it)
	it.of.add(it)
	if it.body == nil {
		return true
	}
	m.bytes += it.body.size()
	if it.body.output != "" {
		m.outputs[it.body.output] = it
	}
	return true
}

// forget is the end of an item.
func (m *Machine) forget(it *item) {
	if m.ids[it.id] == it { // and it is not another's by now
		delete(m.ids, it.id)
	}
	if it.body != nil {
		m.bytes -= it.body.size()
		if o := it.body.output; o != "" && m.outputs[o] == it {
			delete(m.outputs, o)
		}
	}
	delete(m.publishing, it)
	m.items.drop(it)
	it.of.remove(it)
}

func (m *Machine) applyItem(fact byte, it *item, r *bin.Reader) {
	b := it.body
	m.bytes -= b.size()
	m.take(it)
	switch fact {
	case factDone:
		m.applyDone(it, r)
	case factFail:
		how, due := r.Byte(), m.clock+r.Int()
		m.note(it, how, readFailure(r))
		m.put(it, waiting, due)
	case factDead:
		how := r.Byte()
		m.note(it, how, readFailure(r))
		m.put(it, dead, m.clock)
	case factRelease:
		if r.Bool() {
			it.releases++
		}
		it.kind = back
		if delay := r.Uint(); delay > 0 {
			m.put(it, waiting, m.clock+int64(delay))
		} else {
			m.put(it, listed, m.clock)
		}
	case factRevive:
		it.attempts--
		h := b.has()
		it.lapsed, h.failures, h.before = false, h.before, nil
		m.put(it, leased, m.clock+int64(r.Uint()))
	case factCommit:
		b.has().committed = r.Bytes()
		m.publishing[it] = struct{}{}
		m.put(it, leased, it.at)
	case factRetry:
		it.attempts, it.releases, it.lapsed, it.kind = 0, 0, false, fresh
		m.put(it, listed, m.clock)
	case factCancel:
		it.lapsed = false
		m.put(it, cancelled, m.clock)
	}
	if it.body != nil {
		m.bytes += it.body.size()
	}
}

// applyDone keeps of an item what is asked for when it is done.
func (m *Machine) applyDone(it *item, r *bin.Reader) {
	it.attempts++
	delete(m.publishing, it)
	result, output := r.Bytes(), it.body.output
	if it.body = nil; result != nil || output != "" {
		it.body = &body{output: output}
	}
	if result != nil {
		it.body.has().result = result
	}
	m.put(it, done, m.clock)
}

// note notes how an attempt ended.
func (m *Machine) note(it *item, how byte, f queue.Failure) {
	h := it.body.has()
	if how&attempt != 0 {
		it.attempts++
	}
	if how&disrupts != 0 {
		it.releases++
	}
	it.kind = fresh
	if how&toBack != 0 {
		it.kind = back
	}
	it.lapsed, h.before = how&byLapse != 0, nil
	if it.lapsed {
		h.before = h.failures
	}
	was := h.failures
	if len(was) == queue.MaxFailures {
		was = slices.Concat(was[:1], was[2:]) // the first is always kept
	}
	h.failures = append(slices.Clip(was), f)
}

func (m *Machine) applyItems(fact byte, r *bin.Reader) {
	var lease int64
	if fact == factExtend {
		lease = int64(r.Uint())
	}
	for range r.Count() {
		it := m.find(fact, r)
		if it == nil {
			return
		}
		until := it.at
		m.take(it)
		switch fact {
		case factDue:
			m.put(it, listed, m.clock)
		case factExtend:
			m.put(it, leased, max(until, m.clock+lease)) // none ends sooner by it
		case factForget:
			m.forget(it)
		}
	}
}

func (m *Machine) applyOpen(r *bin.Reader) {
	m.batchN++
	b := &batch{serial: m.batchN, name: r.String(), after: r.String(), made: m.clock, waits: r.Bool()}
	b.within = int64(r.Uint())
	if r.Err() == nil && m.names[b.name] != nil {
		r.Fail(fmt.Errorf("batch %d is there already: %w", b.serial, errNoFact))
	}
	if r.Err() != nil {
		return
	}
	m.begin(b)
	if b.within > 0 {
		m.setDeadline(b, m.clock+b.within)
	}
}

// begin makes a batch known.
func (m *Machine) begin(b *batch) {
	m.names[b.name] = b
	m.batches = append(m.batches, b)
	if a := m.names[b.after]; b.waits && a != nil {
		a.followers = append(a.followers, b)
	}
}

func (m *Machine) applyBatch(fact byte, b *batch, r *bin.Reader) {
	switch fact {
	case factSeal:
		m.steer(b, func() { b.sealed = true })
	case factSuspend:
		m.steer(b, func() { b.suspended = true })
	case factResume:
		m.steer(b, func() { b.suspended = false })
	case factUnblock:
		if a := m.names[b.after]; a != nil {
			a.followers = slices.DeleteFunc(a.followers, func(x *batch) bool { return x == b })
		}
		m.steer(b, func() { b.waits = false })
	case factPast:
		m.setDeadline(b, 0)
	case factVoid:
		for _, it := range m.leases(b) {
			if it.body.had().committed == nil {
				m.take(it)
				m.put(it, cancelled, m.clock)
			}
		}
		m.setDeadline(b, 0)
		reason := r.String()
		m.steer(b, func() { b.void, b.sealed, b.reason = true, true, reason })
	case factDelete:
		for _, it := range m.leases(b) {
			m.take(it)
			m.put(it, cancelled, m.clock)
		}
		m.setDeadline(b, 0)
		m.steer(b, func() { b.deleted = true })
		m.recount(b, func() { b.counts = [places]int64{} })
		m.bury(b)
	}
}

// leases lists the leased items of a batch, in an order that is the same
// wherever the log is replayed.
func (m *Machine) leases(b *batch) []*item {
	var of []*item
	for _, it := range m.leased {
		if it.of == b {
			of = append(of, it)
		}
	}
	slices.SortFunc(of, func(x, y *item) int { return cmp.Compare(x.serial, y.serial) })
	return of
}

// bury takes a deleted batch from where it is known. Its items go some at a
// time, so that nobody waits for it: they are known no more.
func (m *Machine) bury(b *batch) {
	delete(m.names, b.name)
	m.batches = slices.DeleteFunc(m.batches, func(x *batch) bool { return x == b })
	m.graves = append(m.graves, b)
	if a := m.names[b.after]; b.waits && a != nil {
		a.followers = slices.DeleteFunc(a.followers, func(x *batch) bool { return x == b })
	}
}

// dig forgets at most n items of deleted batches. It is no fact, since nobody
// can see it.
func (m *Machine) dig(n int) {
	for ; n > 0 && len(m.graves) > 0; n-- {
		b := m.graves[0]
		it := b.oldest
		if it == nil {
			m.graves = m.graves[1:]
			continue
		}
		m.take(it)
		m.forget(it)
	}
}
