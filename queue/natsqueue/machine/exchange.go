package machine

import (
	"fmt"
	"time"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
)

// look is how long a worker that found nothing may wait for a ring. Its
// driver mends lost rings by itself.
const look = 30 * time.Second

// worker is a worker with its last reply, which the same number gets again.
type worker struct {
	number  uint64
	seen    int64
	gone    bool // it was allowed to leave, or was interrupted
	dead    bool // somebody had proof: what it sent before may still arrive
	settled []bool
	grants  []grant
}

type grant struct {
	serial, token uint64
}

func (m *Machine) worker(name string) *worker {
	k := m.workers[name]
	if k == nil {
		k = &worker{}
		m.workers[name] = k
	}
	return k
}

// Exchange settles and claims as queue.Consumer describes. A number that was
// answered before gets the answer again, less what is no longer its to hold;
// an older one gets ErrStale.
func (m *Machine) Exchange(x queue.Exchange) (queue.Reply, error) {
	if k := m.workers[x.Worker]; k != nil && k.number > 0 {
		switch {
		case x.Seq < k.number:
			return queue.Reply{}, fmt.Errorf("exchange %d after %d: %w", x.Seq, k.number, queue.ErrStale)
		case x.Seq == k.number:
			return m.reply(k), nil
		}
	}
	settled := make([]bool, len(x.Settle))
	for i, s := range x.Settle {
		if it := m.hold(s.Lease); it != nil {
			m.settle(it, s)
			settled[i] = true
		}
	}
	m.unblock()
	var items []*item
	k := m.workers[x.Worker]
	if k == nil || !k.gone && !k.dead {
		items = m.next(x.Claim)
	}
	m.decide(func(w *bin.Writer) { m.writeTake(w, x, settled, items) })
	return m.reply(m.workers[x.Worker]), nil
}

// reply is the answer that a worker's last exchange got.
func (m *Machine) reply(k *worker) queue.Reply {
	r := queue.Reply{Settled: make([]error, len(k.settled)), Gone: k.gone || k.dead, Next: look}
	for i, ok := range k.settled {
		if !ok {
			r.Settled[i] = queue.ErrLeaseLost
		}
	}
	for _, g := range k.grants {
		if it := m.items.get(g.serial); it != nil && m.holds(it, g.token) {
			r.Leases = append(r.Leases, m.lease(it))
		}
	}
	return r
}

func (m *Machine) lease(it *item) queue.Lease {
	h := it.body.had()
	l := queue.Lease{
		Item: queue.Item{
			ID: it.id, Payload: it.body.payload, Priority: int(it.priority), Batch: it.of.name, Output: it.body.output,
		},
		Token: it.token, Attempt: int(it.attempts) + 1, TTL: m.until(it.at), Committed: h.committed,
		Again: it.attempts+it.releases > 0 || len(h.failures) > 0, // a retry leaves the failures alone
	}
	if it.lapsed {
		l.Attempt, l.TTL = int(it.attempts), 0
	}
	return l
}

// holds tells whether a token is the current one: it is until another gets the
// item, though its lease may have lapsed.
func (m *Machine) holds(it *item, token uint64) bool {
	return it.token == token && token != 0 && !it.of.deleted && (it.place == leased || it.lapsed && !it.of.void)
}

// hold is the item that a lease is of, or nil if it is lost. One that lapsed is
// taken back, as if its deadline had not passed.
func (m *Machine) hold(l queue.Lease) *item {
	it := m.known(l.Item.ID)
	if it == nil || !m.holds(it, l.Token) {
		return nil
	}
	if it.lapsed {
		m.decide(func(w *bin.Writer) {
			w.Byte(factRevive)
			w.Uint(it.serial)
			w.Uint(uint64(micros(m.policy.Lease)))
		})
	}
	return it
}

func (m *Machine) settle(it *item, s queue.Settlement) {
	switch s.Verb {
	case queue.Ack:
		m.decide(func(w *bin.Writer) {
			w.Byte(factDone)
			w.Uint(it.serial)
			w.Bytes(s.Result)
		})
	case queue.Nack:
		m.fail(it, 0, m.now, s.After, tail(s.Failure))
	case queue.Bury:
		m.end(it, attempt, tail(s.Failure))
	case queue.Release:
		m.release(it, s)
	}
}

// release gives an item back unharmed: at once the first time, later with
// growing delays, and not for ever, since something in it may be the cause.
func (m *Machine) release(it *item, s queue.Settlement) {
	var delay int64
	n := int(it.releases) + 1
	switch {
	case s.Unstarted:
		n = 0
	case n > *m.policy.DisruptionLimit:
		why := s.Failure.Cause
		if why == "" {
			why = "Released"
		}
		m.end(it, disrupts, queue.Failure{
			Cause: queue.CauseTooManyDisruptions, Message: fmt.Sprintf("given back %d times, last since it was: %s", n, why),
		})
		return
	case s.Backoff:
		delay = m.delay(it, n, s.After)
	case n > 1 || s.After > 0:
		delay = m.delay(it, n-1, s.After)
	}
	m.decide(func(w *bin.Writer) {
		w.Byte(factRelease)
		w.Uint(it.serial)
		w.Bool(n > 0)
		w.Uint(uint64(delay))
	})
}

// tail bounds what is kept of a failure.
func tail(f queue.Failure) queue.Failure {
	if n := len(f.Stderr) - queue.MaxStderrBytes; n > 0 {
		f.Stderr = f.Stderr[n:]
	}
	return f
}

// maxClaimBytes bounds the payloads of one reply; what is left is for the next.
const maxClaimBytes = queue.MaxCallBytes

// next is at most n items that a claim gets now, the most urgent first.
func (m *Machine) next(n int) (out []*item) {
	if m.paused {
		return nil
	}
	var bytes int64
	for p := queue.MaxPriority; p >= 0; p-- {
		for k := range kinds {
			for _, b := range m.open[p][k] {
				for it := b.lists[p][k].head; it != nil; it = it.next {
					if bytes += it.body.size(); len(out) >= n || len(out) > 0 && bytes > maxClaimBytes {
						return out
					}
					out = append(out, it)
				}
			}
		}
	}
	return out
}

func (m *Machine) writeTake(w *bin.Writer, x queue.Exchange, settled []bool, items []*item) {
	w.Byte(factTake)
	w.String(x.Worker)
	w.Uint(x.Seq)
	bits := make([]byte, (len(settled)+7)/8)
	for i, ok := range settled {
		if ok {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	w.Uint(uint64(len(settled)))
	w.String(string(bits))
	w.Uint(uint64(micros(m.policy.Lease)))
	w.Uint(max(m.token+1, uint64(m.now)) - m.token)
	writeItems(w, items)
}

func (m *Machine) applyTake(r *bin.Reader) {
	name := r.String()
	k := m.worker(name)
	k.number, k.seen = r.Uint(), m.clock
	n, bits := r.Uint(), r.String()
	if n > uint64(len(bits))*8 {
		r.Fail(fmt.Errorf("%d settlements and answers for %d: %w", n, len(bits)*8, errNoFact))
		return
	}
	k.settled = make([]bool, n)
	for i := range k.settled {
		k.settled[i] = bits[i/8]&(1<<(i%8)) != 0
		m.changed = true
	}
	deadline, token := m.clock+int64(r.Uint()), m.token+r.Uint()
	items := r.Count()
	k.grants = make([]grant, 0, items)
	for range items {
		it := m.find(factTake, r)
		if it == nil {
			return
		}
		m.take(it)
		if h := it.body.past; h != nil {
			h.before = nil
		}
		it.token, it.lapsed, it.body.worker = token, false, name
		m.put(it, leased, deadline)
		k.grants = append(k.grants, grant{it.serial, token})
		m.token, m.changed = token, true
		token++
	}
}

// Extend renews leases to the policy's full one, and tells of each whether it
// is held.
func (m *Machine) Extend(leases []queue.Lease) []error {
	errs := make([]error, len(leases))
	var held []*item
	for i, l := range leases {
		if it := m.hold(l); it != nil {
			held = append(held, it)
		} else {
			errs[i] = queue.ErrLeaseLost
		}
	}
	if len(held) > 0 {
		m.decide(func(w *bin.Writer) {
			w.Byte(factExtend)
			w.Uint(uint64(micros(m.policy.Lease)))
			writeItems(w, held)
		})
	}
	m.unblock()
	return errs
}

// Commit decides what an item publishes, as queue.Consumer describes.
func (m *Machine) Commit(l queue.Lease, record []byte) error {
	it := m.hold(l)
	if it == nil {
		return queue.ErrLeaseLost
	}
	if record == nil {
		record = []byte{}
	}
	m.decide(func(w *bin.Writer) {
		w.Byte(factCommit)
		w.Uint(it.serial)
		w.Bytes(record)
	})
	m.unblock()
	return nil
}

// Leave lets a worker go if nothing is claimable and nothing comes due within
// idle.
func (m *Machine) Leave(name string, idle time.Duration) bool {
	m.prune()
	if m.Claimable() > 0 || len(m.delayed) > 0 && m.delayed[0].at <= m.now+micros(idle) {
		return false
	}
	m.factName(factLeave, name)
	return true
}

// Gone tells whether a worker was let go, or is dead: it claims nothing more.
func (m *Machine) Gone(name string) bool {
	k := m.workers[name]
	return k != nil && k.gone
}

// Claimable is how many items a claim would get now.
func (m *Machine) Claimable() int64 {
	if m.paused {
		return 0
	}
	return m.total.Ready - m.total.Held
}
