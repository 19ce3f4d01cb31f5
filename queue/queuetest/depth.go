package queuetest

import (
	"math/rand/v2"
	"time"

	"sluice.dev/queue"
)

var depthSentences = []sentence{
	{"depth follows an item through its states", func(q *subject) {
		w := q.worker("w")
		q.wantDepth(queue.Depth{})
		q.put(queue.Item{ID: "a"}, queue.Item{ID: "b", Delay: long})
		q.wantDepth(queue.Depth{Delayed: 1, Ready: 1})
		w.releases(w.claims("a")[0])
		q.wantDepth(queue.Depth{Delayed: 1, Ready: 1})
		l := w.claims("a")[0]
		q.wantDepth(queue.Depth{Delayed: 1, Leased: 1})
		w.nacks(l)
		q.wantDepth(queue.Depth{Delayed: 2})
	}},
	{"NextDue is the time until the first delay or lease ends", func(q *subject) {
		w := q.worker("w")
		wantDue := func(want time.Duration) {
			q.Helper()
			if got := q.depth().NextDue; got > want || got < want-patience {
				q.Errorf("NextDue is %s, want %s", got, want)
			}
		}
		if got := q.depth().NextDue; got >= 0 {
			q.Errorf("NextDue of an empty queue is %s, want it negative", got)
		}
		q.force(queue.Policy{Lease: long})
		q.putIDs("a")
		l := w.claims("a")[0]
		wantDue(long)
		q.put(queue.Item{ID: "b", Delay: minute})
		wantDue(minute)
		q.put(queue.Item{ID: "c", Delay: 2 * long})
		wantDue(minute)
		w.acks(l)
		wantDue(minute)
	}},
	{"depth adds up at every stop of a random walk", func(q *subject) { walk(q, 300) }},
}

// model is what a queue should count: where each item stands. Its leases,
// delays and retries are so long that time changes nothing.
type model struct {
	known    []queue.Item
	batch    map[string]string // of an item
	state    map[string]queue.State
	attempts map[string]int
	releases map[string]int
	leased   map[string][]queue.Lease // by worker
	settled  []queue.Lease            // no longer current
}

const walkBackoffLimit = 1

func (m *model) depth(batch string) (d queue.Depth) {
	for id, s := range m.state {
		if batch != "" && m.batch[id] != batch {
			continue
		}
		switch s {
		case queue.Delayed:
			d.Delayed++
		case queue.Ready:
			d.Ready++
		case queue.Leased:
			d.Leased++
		case queue.Done:
			d.Done++
		case queue.Dead:
			d.Dead++
		}
	}
	return d
}

// fail counts an attempt.
func (m *model) fail(id string) {
	m.attempts[id]++
	m.state[id] = queue.Delayed
	if m.attempts[id] > walkBackoffLimit {
		m.state[id] = queue.Dead
	}
}

// walk takes random steps and compares the depth with the model after each.
// The seed is fixed, so that a failure comes again.
func walk(q *subject, steps int) {
	q.force(queue.Policy{Lease: long, RetryDelay: long, RetryDelayMax: long, BackoffLimit: ptr(walkBackoffLimit)})
	r := rand.New(rand.NewPCG(1, 2))
	m := &model{
		batch: map[string]string{}, state: map[string]queue.State{}, leased: map[string][]queue.Lease{},
		attempts: map[string]int{}, releases: map[string]int{},
	}
	workers := []*worker{q.worker("w1"), q.worker("w2"), q.worker("w3")}
	batches := []string{"x", "y", "z"}
	for step := range steps {
		what := m.step(q, r, workers[r.IntN(len(workers))], batches)
		if got, want := counts(q.depth()), m.depth(""); got != want {
			q.Fatalf("step %d, %s: depth is %+v, want %+v", step, what, got, want)
		}
		if step%10 != 9 {
			continue
		}
		for _, b := range batches {
			if want := m.depth(b); want != (queue.Depth{}) && counts(q.batch(b).Depth) != want {
				q.Fatalf("step %d, %s: batch %s has %+v, want %+v", step, what, b, counts(q.batch(b).Depth), want)
			}
		}
	}
}

// step does one thing, to the queue and to the model, and says what.
func (m *model) step(q *subject, r *rand.Rand, w *worker, batches []string) string {
	switch n := r.IntN(10); {
	case n < 3:
		m.enqueue(q, r, batches)
		return "enqueue"
	case n < 6:
		m.claim(q, w, r.IntN(4))
		return "claim"
	case n < 7 && len(m.settled) > 0:
		l := m.settled[r.IntN(len(m.settled))]
		q.wantLost("a settlement too late", w.settle(queue.Settlement{Lease: l, Verb: queue.Verb(1 + r.IntN(4))}))
		return "settle too late"
	case n < 8 && r.IntN(4) == 0:
		q.expire(w.id, len(m.leased[w.id]))
		for _, l := range m.leased[w.id] {
			m.fail(l.Item.ID)
		}
		m.leased[w.id] = nil
		return "expire " + w.id
	default:
		m.settle(q, r, w)
		return "settle"
	}
}

func (m *model) enqueue(q *subject, r *rand.Rand, batches []string) {
	var items []queue.Item
	var want []queue.Outcome
	for range 1 + r.IntN(3) {
		if len(m.known) > 0 && r.IntN(4) == 0 {
			it := m.known[r.IntN(len(m.known))]
			want = append(want, queue.Duplicate)
			if r.IntN(2) == 0 {
				it.Payload = []byte("another")
				want[len(want)-1] = queue.Conflict
			}
			items = append(items, it)
			continue
		}
		id := itemID(len(m.known))
		it := queue.Item{ID: id, Payload: []byte(id), Priority: r.IntN(10), Batch: batches[r.IntN(len(batches))]}
		m.state[id] = queue.Ready
		if r.IntN(4) == 0 {
			it.Delay = long
			m.state[id] = queue.Delayed
		}
		m.known, m.batch[id] = append(m.known, it), it.Batch
		items, want = append(items, it), append(want, queue.Added)
	}
	for i, got := range q.enqueue(items...) {
		if got != want[i] {
			q.Fatalf("enqueue of %q: %s, want %s", items[i].ID, got, want[i])
		}
	}
}

func (m *model) claim(q *subject, w *worker, n int) {
	want := min(n, int(m.depth("").Ready))
	leases := w.claim(n)
	if len(leases) != want {
		q.Fatalf("a claim of %d gave %d leases, want %d", n, len(leases), want)
	}
	for _, l := range leases {
		if s := m.state[l.Item.ID]; s != queue.Ready {
			q.Fatalf("claimed %q, which was %s", l.Item.ID, s)
		}
		m.state[l.Item.ID] = queue.Leased
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
	id, verb := l.Item.ID, queue.Verb(1+r.IntN(4))
	w.settles(queue.Settlement{Lease: l, Verb: verb, Failure: failure("walk")})
	switch verb {
	case queue.Ack:
		m.state[id] = queue.Done
	case queue.Nack:
		m.fail(id)
	case queue.Bury:
		m.state[id] = queue.Dead
	case queue.Release:
		m.state[id] = queue.Ready
		if m.releases[id]++; m.releases[id] > 1 {
			m.state[id] = queue.Delayed
		}
	}
}
