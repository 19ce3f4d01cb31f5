package machine

import (
	"cmp"
	"slices"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
)

// batch is a batch and the ready lists of its items.
type batch struct {
	name      string
	serial    uint64
	after     string // the batch that it waits for or waited for
	reason    string // of its cancellation
	made      int64
	deadline  int64 // 0 is none, or none any more
	within    int64 // the deadline that was stated, from when it was made
	sealed    bool
	suspended bool
	waits     bool
	void      bool // it was cancelled
	deleted   bool

	lists          [queue.MaxPriority + 1][kinds]list
	counts         [places]int64
	oldest, newest *item
	followers      []*batch // that wait for it
}

// depth counts the items of a batch as its flags make them.
func (b *batch) depth() queue.Depth {
	c := &b.counts
	d := queue.Depth{Leased: c[leased], Done: c[done], Dead: c[dead], Cancelled: c[cancelled]}
	switch {
	case b.void:
		d.Cancelled += c[waiting] + c[listed]
	case b.waits:
		d.Delayed, d.Blocked = c[waiting], c[listed]
	default:
		d.Delayed, d.Ready = c[waiting], c[listed]
		if b.suspended {
			d.Held = d.Ready
		}
	}
	return d
}

// offered tells whether claims may take from a batch.
func (b *batch) offered() bool { return !b.suspended && !b.waits && !b.void && !b.deleted }

func (b *batch) complete() bool {
	return queue.BatchInfo{Sealed: b.sealed, Cancelled: b.void, Depth: b.depth()}.Complete()
}

func (b *batch) ended() bool { return b.void || b.sealed && b.depth().Unfinished() == 0 }

func (b *batch) add(it *item) {
	it.older = b.newest
	if b.newest == nil {
		b.oldest = it
	} else {
		b.newest.newer = it
	}
	b.newest = it
}

func (b *batch) remove(it *item) {
	if it.older == nil {
		b.oldest = it.newer
	} else {
		it.older.newer = it.newer
	}
	if it.newer == nil {
		b.newest = it.older
	} else {
		it.newer.older = it.older
	}
	it.older, it.newer = nil, nil
}

func bySerial(b *batch, serial uint64) int { return cmp.Compare(b.serial, serial) }

// offer lets claims take from a list of a batch, withdraw takes it back.
func (m *Machine) offer(b *batch, priority uint8, k kind) {
	if !b.offered() {
		return
	}
	o := &m.open[priority][k]
	if i, in := slices.BinarySearchFunc(*o, b.serial, bySerial); !in {
		*o = slices.Insert(*o, i, b)
	}
}

func (m *Machine) withdraw(b *batch, priority uint8, k kind) {
	o := &m.open[priority][k]
	if i, in := slices.BinarySearchFunc(*o, b.serial, bySerial); in {
		*o = slices.Delete(*o, i, i+1)
	}
}

// steer changes the flags of a batch, and with them what its items are.
func (m *Machine) steer(b *batch, f func()) {
	m.recount(b, f)
	for p := range b.lists {
		for k := range b.lists[p] {
			if b.offered() && b.lists[p][k].n > 0 {
				m.offer(b, uint8(p), kind(k))
			} else {
				m.withdraw(b, uint8(p), kind(k))
			}
		}
	}
	if len(b.followers) > 0 {
		m.touch(b)
	}
}

func (m *Machine) batch(serial uint64) *batch {
	if i, ok := slices.BinarySearchFunc(m.batches, serial, bySerial); ok {
		return m.batches[i]
	}
	return nil
}

// setDeadline sets or, with 0, takes away a batch's deadline.
func (m *Machine) setDeadline(b *batch, at int64) {
	m.deadlines = slices.DeleteFunc(m.deadlines, func(x *batch) bool { return x == b })
	if b.deadline = at; at == 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(m.deadlines, b, func(x, b *batch) int {
		return cmp.Or(cmp.Compare(x.deadline, b.deadline), cmp.Compare(x.serial, b.serial))
	})
	m.deadlines = slices.Insert(m.deadlines, i, b)
}

// ensure is the batch of a name, made if there is none.
func (m *Machine) ensure(name string) *batch {
	if m.names[name] == nil {
		m.decide(func(w *bin.Writer) { writeBatch(w, factBatch, name, "", false, 0) })
	}
	return m.names[name]
}

// unblock lets the batches begin that wait for one which is complete. It ends
// every command.
func (m *Machine) unblock() {
	for len(m.touched) > 0 {
		b := m.touched[0]
		m.touched = m.touched[1:]
		if !b.deleted && b.complete() {
			for len(b.followers) > 0 {
				m.factBatch(factUnblock, b.followers[0])
			}
		}
	}
}

// isPublishing tells whether the output of an item is decided and its end is
// still to come.
func (it *item) isPublishing() bool {
	if it.body == nil || it.body.had().committed == nil {
		return false
	}
	return it.place == leased || it.place.queued() && !it.of.void
}
