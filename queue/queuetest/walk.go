package queuetest

import (
	"math/rand/v2"
	"slices"

	"sluice.dev/queue"
)

// model is what a queue should count: where each item stands. Its leases,
// delays and retries are so long that time changes nothing.
type model struct {
	items     map[string]*modelItem
	known     []*modelItem // in an order that does not change from run to run
	forgotten []string     // ids of what was deleted
	leased    map[string][]queue.Lease
	settled   []queue.Lease // no longer current
	batches   map[string]*modelBatch
	paused    bool
}

type modelItem struct {
	queue.Item
	state              queue.State
	attempts, releases int
}

type modelBatch struct {
	suspended, waits, sealed, cancelled bool
}

const (
	walkBackoffLimit = 1
	walkAfter        = "then" // the one batch that comes after another, walkFirst
	walkFirst        = "x"
)

var walkBatches = []string{walkFirst, "y", "z", walkAfter}

func (m *model) depth(batch string) queue.Depth {
	d := queue.Depth{Paused: m.paused}
	for _, it := range m.known {
		if batch != "" && it.Batch != batch {
			continue
		}
		b := m.batches[it.Batch]
		switch it.state {
		case queue.Delayed:
			d.Delayed++
		case queue.Ready:
			switch {
			case b.waits:
				d.Blocked++
			case b.suspended || m.paused:
				d.Ready++
				d.Held++
			default:
				d.Ready++
			}
		case queue.Leased:
			d.Leased++
		case queue.Done:
			d.Done++
		case queue.Dead:
			d.Dead++
		case queue.Cancelled:
			d.Cancelled++
		}
	}
	return d
}

// fail counts an attempt.
func (it *modelItem) fail() {
	it.attempts++
	it.state = queue.Delayed
	if it.attempts > walkBackoffLimit {
		it.state = queue.Dead
	}
}

// walk takes random steps and compares the depth with the model after each.
// The seed is fixed, so that a failure comes again.
func walk(q *subject, steps int) {
	q.force(queue.Policy{Lease: long, RetryDelay: long, RetryDelayMax: long, BackoffLimit: new(walkBackoffLimit)})
	r := rand.New(rand.NewPCG(1, 2))
	m := &model{items: map[string]*modelItem{}, leased: map[string][]queue.Lease{}, batches: map[string]*modelBatch{}}
	for _, b := range walkBatches {
		m.batches[b] = &modelBatch{waits: b == walkAfter}
		if b == walkAfter {
			q.open(queue.Batch{Name: b, After: walkFirst})
		} else {
			q.open(queue.Batch{Name: b})
		}
	}
	workers := []*worker{q.worker("w1"), q.worker("w2"), q.worker("w3")}
	for step := range steps {
		what := m.step(q, r, workers[r.IntN(len(workers))])
		m.unblock()
		if got, want := counts(q.depth()), m.depth(""); got != want {
			q.Fatalf("step %d, %s: depth is %+v, want %+v", step, what, got, want)
		}
		if step%10 != 9 {
			continue
		}
		for _, b := range walkBatches {
			if want := m.depth(b); counts(q.batch(b).Depth) != want {
				q.Fatalf("step %d, %s: batch %s has %+v, want %+v", step, what, b, counts(q.batch(b).Depth), want)
			}
		}
	}
}

// unblock begins the batch that waits once the first is complete.
func (m *model) unblock() {
	d, first := m.depth(walkFirst), m.batches[walkFirst]
	if first.sealed && !first.cancelled && d.Total() == d.Done {
		m.batches[walkAfter].waits = false
	}
}

// step does one thing, to the queue and to the model, and says what.
func (m *model) step(q *subject, r *rand.Rand, w *worker) string {
	switch n := r.IntN(20); {
	case n < 5:
		m.enqueue(q, r)
		return "enqueue"
	case n < 10:
		m.claim(q, w, r.IntN(4))
		return "claim"
	case n < 11 && len(m.settled) > 0:
		l := m.settled[r.IntN(len(m.settled))]
		q.wantLost("a settlement too late", w.settle(queue.Settlement{Lease: l, Verb: queue.Verb(1 + r.IntN(4))}))
		return "settle too late"
	case n < 12 && r.IntN(3) == 0:
		q.expire(w.id, len(m.leased[w.id]))
		for _, l := range m.leased[w.id] {
			m.items[l.Item.ID].fail()
		}
		delete(m.leased, w.id)
		dead := w.id
		*w = *q.worker(dead + "x") // another in its place
		return "expire " + dead
	case n < 14 && len(m.known) > 0:
		return m.changeItem(q, r)
	case n < 16:
		return m.changeBatch(q, r)
	default:
		m.settle(q, r, w)
		return "settle"
	}
}

func (m *model) enqueue(q *subject, r *rand.Rand) {
	var items []queue.Item
	var want []queue.Outcome
	for range 1 + r.IntN(3) {
		if len(m.known) > 0 && r.IntN(4) == 0 {
			it := m.known[r.IntN(len(m.known))].Item
			want = append(want, queue.Duplicate)
			if r.IntN(2) == 0 {
				it.Payload = []byte("another")
				want[len(want)-1] = queue.Conflict
			}
			items = append(items, it)
			continue
		}
		id := itemID(len(m.known) + len(m.forgotten))
		if n := len(m.forgotten); n > 0 && m.items[m.forgotten[n-1]] == nil {
			id = m.forgotten[n-1] // an id that is new again
		}
		it := queue.Item{ID: id, Payload: []byte(id), Priority: r.IntN(10), Batch: walkBatches[r.IntN(len(walkBatches))]}
		state := queue.Ready
		if r.IntN(4) == 0 {
			it.Delay, state = long, queue.Delayed
		}
		items = append(items, it)
		if b := m.batches[it.Batch]; b.sealed {
			want = append(want, queue.BatchClosed)
			continue
		}
		m.items[id] = &modelItem{Item: it, state: state}
		m.known, want = append(m.known, m.items[id]), append(want, queue.Added)
	}
	for i, got := range q.enqueue(items...) {
		if got != want[i] {
			q.Fatalf("enqueue of %q: %s, want %s", items[i].ID, got, want[i])
		}
	}
}

func (m *model) claim(q *subject, w *worker, n int) {
	want := min(n, int(m.depth("").Claimable()))
	leases := w.claim(n)
	if len(leases) != want {
		q.Fatalf("a claim of %d gave %d leases, want %d", n, len(leases), want)
	}
	for _, l := range leases {
		it := m.items[l.Item.ID]
		if it == nil || it.state != queue.Ready || l.Attempt != it.attempts+1 {
			q.Fatalf("claimed %q for attempt %d, which was %+v", l.Item.ID, l.Attempt, it)
		}
		it.state = queue.Leased
	}
	m.leased[w.id] = append(m.leased[w.id], leases...)
}

// settle ends the worker's oldest lease.
func (m *model) settle(q *subject, r *rand.Rand, w *worker) {
	if len(m.leased[w.id]) == 0 {
		return
	}
	l := m.leased[w.id][0]
	m.leased[w.id], m.settled = m.leased[w.id][1:], append(m.settled, l)
	it, verb := m.items[l.Item.ID], queue.Verb(1+r.IntN(4))
	w.settles(queue.Settlement{Lease: l, Verb: verb, Failure: failure("walk")})
	switch verb {
	case queue.Ack:
		it.state = queue.Done
	case queue.Nack:
		it.fail()
	case queue.Bury:
		it.state = queue.Dead
	case queue.Release:
		it.state = queue.Ready
		if it.releases++; it.releases > 1 {
			it.state = queue.Delayed
		}
	}
}

// changeItem does a verb to any item, in whatever state it is.
func (m *model) changeItem(q *subject, r *rand.Rand) string {
	it := m.known[r.IntN(len(m.known))]
	v := []queue.ItemVerb{queue.RetryItem, queue.CancelItem, queue.DeleteItem}[r.IntN(3)]
	dead, over := it.state == queue.Dead, it.state == queue.Done || it.state == queue.Dead || it.state == queue.Cancelled
	err := q.changed(v, it.ID)
	allowed := v == queue.DeleteItem || v == queue.CancelItem && !over || v == queue.RetryItem && dead && !m.batches[it.Batch].cancelled
	if (err == nil) != allowed {
		q.Fatalf("%s of %q, which is %s: %v", v, it.ID, it.state, err)
	}
	if !allowed {
		return "a refused " + string(v)
	}
	m.revoke(func(id string) bool { return id == it.ID })
	switch v {
	case queue.RetryItem:
		it.state, it.attempts, it.releases = queue.Ready, 0, 0
	case queue.CancelItem:
		it.state = queue.Cancelled
	case queue.DeleteItem:
		m.forget(func(x *modelItem) bool { return x == it })
	}
	return string(v)
}

// changeBatch does a verb to a batch, or pauses the queue.
func (m *model) changeBatch(q *subject, r *rand.Rand) string {
	name := walkBatches[r.IntN(len(walkBatches))]
	b, of := m.batches[name], func(id string) bool { return m.items[id].Batch == name }
	switch n := r.IntN(12); {
	case n < 3:
		q.change(name, queue.SuspendBatch)
		b.suspended = true
		return "suspend " + name
	case n < 6:
		q.change(name, queue.ResumeBatch)
		b.suspended = false
		return "resume " + name
	case n < 8:
		m.paused = !m.paused
		q.pause(m.paused)
		return "pause or go on"
	case n < 9:
		q.seal(name)
		b.sealed = true
		return "seal " + name
	case n < 10:
		q.change(name, queue.CancelBatch)
		if d := m.depth(name); b.cancelled || b.sealed && d.Unfinished() == 0 {
			return "cancel " + name + ", which has ended"
		}
		m.revoke(of)
		for _, it := range m.known {
			if it.Batch == name && it.state != queue.Done && it.state != queue.Dead {
				it.state = queue.Cancelled
			}
		}
		b.cancelled, b.sealed = true, true
		return "cancel " + name
	case name == "y" || name == "z":
		q.change(name, queue.DeleteBatch)
		q.open(queue.Batch{Name: name})
		m.revoke(of)
		m.forget(func(it *modelItem) bool { return it.Batch == name })
		m.batches[name] = &modelBatch{}
		return "delete " + name
	}
	return "nothing"
}

// revoke ends leases.
func (m *model) revoke(of func(id string) bool) {
	for _, w := range []string{"w1", "w2", "w3"} {
		m.leased[w] = slices.DeleteFunc(m.leased[w], func(l queue.Lease) bool {
			lost := of(l.Item.ID)
			if lost {
				m.settled = append(m.settled, l)
			}
			return lost
		})
	}
}

// forget deletes items.
func (m *model) forget(gone func(*modelItem) bool) {
	m.known = slices.DeleteFunc(m.known, func(it *modelItem) bool {
		if !gone(it) {
			return false
		}
		m.forgotten = append(m.forgotten, it.ID)
		delete(m.items, it.ID)
		return true
	})
}
