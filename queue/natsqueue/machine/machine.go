// Package machine decides: it is a queue as pure computation, without a
// server, a goroutine or a clock.
//
// A Machine is a state and what may be asked of it. A command looks at the
// state, decides, and writes facts: what became so, not what was asked. A fact
// is applied as it is written, by the very code that applies it again when the
// log is replayed; nothing else changes the state. So a machine that replays
// the log of another is in its state, and a newer version which would decide
// otherwise replays an older log as what happened.
//
// Time is passed in, in microseconds of the store's clock, and is a fact like
// any other: it never goes back, whoever leads. Nothing hangs on the order of
// a map or on chance.
//
// An item's state is where it stands: in a list of what is ready, in a heap
// with a time, or in the list of what is done. Batches have ready lists of
// their own, one a priority, so that to suspend, cancel or unblock one costs
// the same whatever its size, and every count is kept and never counted.
package machine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
)

// MaxPayloadBytes bounds the payloads, and what else is kept of items that are
// not done, of one queue, since a machine holds them in memory.
const MaxPayloadBytes = 1 << 30

// ErrFull refuses items for which a queue has no room until others are done.
var ErrFull = fmt.Errorf("queue is full: its unfinished items have %d MiB, which its leader holds in memory", MaxPayloadBytes>>20)

// errNoFact is a log that says what cannot be.
var errNoFact = errors.New("log contradicts itself")

// Machine is a queue's state. It is not safe for concurrent use.
type Machine struct {
	clock  int64  // of the latest fact
	now    int64  // the latest time that was passed in, no earlier than clock
	token  uint64 // the last one given
	serial uint64 // of the last item
	batchN uint64 // serial of the last batch
	paused bool
	stated queue.Policy // what somebody stated
	policy queue.Policy // what is in force

	ids        map[string]*item
	outputs    map[string]*item
	items      index
	publishing map[*item]struct{} // committed and not done
	bytes      int64              // of bodies
	limit      int64              // of those, for what is added

	names     map[string]*batch
	batches   []*batch // by serial: oldest first
	deadlines []*batch // by deadline
	graves    []*batch // deleted ones whose items are still to be forgotten

	open    [queue.MaxPriority + 1][kinds][]*batch // with such items that may be claimed, oldest first
	delayed heap
	leased  heap
	done    list // in the order of their ends
	total   queue.Depth

	workers map[string]*worker
	answers answers

	log     bin.Writer // facts that nobody has taken yet
	touched []*batch   // that others wait for and that a command changed
	changed bool       // by facts, so that somebody may want to look
	swept   int64      // when silent workers were last looked for
	expects int        // items of the snapshot to come
}

// New is an empty queue.
func New() *Machine {
	m := &Machine{}
	m.reset()
	return m
}

// Expect has the next snapshot find room for so many items. It is no promise:
// there may be more or fewer.
func (m *Machine) Expect(items int) { m.expects = items }

func (m *Machine) reset() {
	*m = Machine{
		ids: make(map[string]*item, m.expects), outputs: map[string]*item{}, publishing: map[*item]struct{}{},
		names: map[string]*batch{}, workers: map[string]*worker{}, answers: answers{by: map[uint64][]byte{}},
		policy: queue.DefaultPolicy(), limit: MaxPayloadBytes,
	}
}

// Pending is how many bytes of facts nobody has taken yet.
func (m *Machine) Pending() int { return len(m.log.B) }

// Take takes the facts that were decided since the last call, for the log.
func (m *Machine) Take() []byte {
	b := m.log.B
	m.log.B = nil
	return b
}

// Changed tells whether something changed since the last call that somebody
// who watches the queue may see.
func (m *Machine) Changed() bool {
	was := m.changed
	m.changed = false
	return was
}

// Replay applies facts that another machine decided. After an error the
// machine is of no use.
func (m *Machine) Replay(facts []byte) error {
	r := bin.NewReader(facts)
	for r.More() {
		m.apply(r)
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	return nil
}

// decide applies the facts that f writes, and the time with them if it has
// moved on since the last.
func (m *Machine) decide(f func(w *bin.Writer)) {
	if m.now > m.clock {
		now := m.now
		m.write(func(w *bin.Writer) {
			w.Byte(factClock)
			w.Uint(uint64(now - m.clock))
		})
	}
	m.write(f)
}

// write writes facts and applies them.
func (m *Machine) write(f func(w *bin.Writer)) {
	from := len(m.log.B)
	f(&m.log)
	r := bin.NewReader(m.log.B[from:])
	for r.More() {
		m.apply(r)
	}
	if err := r.Err(); err != nil {
		panic("machine: a fact that was decided does not apply: " + err.Error())
	}
}

// item is one item. It stands in one place at a time, and prev, next and slot
// are its position there.
type item struct {
	id           string
	of           *batch
	older, newer *item // of its batch
	prev, next   *item // in a ready list or among what is done
	serial       uint64
	at           int64  // when it is due, its lease ends, or it was done
	token        uint64 // of its last lease
	call         uint64 // the call that added it
	digest       Digest
	attempts     uint32
	releases     uint32
	slot         int32 // in a heap
	place        place
	priority     uint8
	kind         kind
	lapsed       bool // its lease ran out, and nobody else has got it
	body         *body
}

// body is what an item needs until it is done, and what little of it may be
// left then.
type body struct {
	payload []byte
	output  string
	worker  string // that has the lease, or had the one that lapsed
	past    *past  // nil is none, as most have: see had
}

// past is what has become of an item so far.
type past struct {
	committed []byte
	result    []byte
	failures  []queue.Failure // never changed in place
	before    []queue.Failure // the failures before the lease lapsed
}

var noPast past // never changed

// had is an item's past, to be looked at.
func (b *body) had() *past {
	if b.past == nil {
		return &noPast
	}
	return b.past
}

// has is an item's past, to be changed.
func (b *body) has() *past {
	if b.past == nil {
		b.past = &past{}
	}
	return b.past
}

func (b *body) size() int64 {
	h := b.had()
	n := len(b.payload) + len(b.output) + len(h.committed) + len(h.result)
	for _, f := range h.failures {
		n += len(f.Message) + len(f.Stderr)
	}
	return int64(n)
}

// place is where an item stands.
type place uint8

const (
	nowhere place = iota
	waiting       // in the heap of what is delayed
	listed        // in a ready list of its batch
	leased
	done
	dead
	cancelled // singly; what a cancelled batch holds stays where it stood
	places
)

// kind is which of two ready lists an item stands in.
type kind uint8

const (
	back  kind = iota // was released or expired, and goes first
	fresh             // all others
	kinds
)

// queued tells whether an item in this place may still be worked on, but for
// what its batch says.
func (p place) queued() bool { return p == waiting || p == listed || p == leased }

// micros is a duration on the machine's clock, rounded up.
func micros(d time.Duration) int64 {
	return int64((d + time.Microsecond - 1) / time.Microsecond)
}

// until is how long it is from now to a time.
func (m *Machine) until(at int64) time.Duration {
	return time.Duration(max(at-m.now, 0)) * time.Microsecond
}

// count notes that n more items of a batch stand in a place.
func (m *Machine) count(b *batch, p place, n int64) {
	if b.deleted {
		return
	}
	m.recount(b, func() { b.counts[p] += n })
	if len(b.followers) > 0 {
		m.touch(b)
	}
}

// recount keeps the totals in step with a batch that f changes.
func (m *Machine) recount(b *batch, f func()) {
	was := b.depth()
	f()
	is, t := b.depth(), &m.total
	t.Blocked += is.Blocked - was.Blocked
	t.Delayed += is.Delayed - was.Delayed
	t.Ready += is.Ready - was.Ready
	t.Leased += is.Leased - was.Leased
	t.Done += is.Done - was.Done
	t.Dead += is.Dead - was.Dead
	t.Cancelled += is.Cancelled - was.Cancelled
	t.Held += is.Held - was.Held
}

// touch has the followers of a batch looked at when the command ends.
func (m *Machine) touch(b *batch) {
	if !slices.Contains(m.touched, b) {
		m.touched = append(m.touched, b)
	}
}

// put makes an item stand in a place, at a time where the place has one.
func (m *Machine) put(it *item, p place, at int64) {
	it.place, it.at = p, at
	switch p {
	case waiting:
		if !it.of.void {
			m.delayed.push(it)
		}
	case listed:
		l := &it.of.lists[it.priority][it.kind]
		l.add(it)
		if l.n == 1 {
			m.offer(it.of, it.priority, it.kind)
		}
	case leased:
		m.leased.push(it)
	case done:
		m.done.add(it)
	}
	m.count(it.of, p, 1)
}

// take takes an item from where it stands.
func (m *Machine) take(it *item) {
	switch it.place {
	case waiting:
		m.delayed.remove(it)
	case listed:
		l := &it.of.lists[it.priority][it.kind]
		l.remove(it)
		if l.n == 0 {
			m.withdraw(it.of, it.priority, it.kind)
		}
	case leased:
		m.leased.remove(it)
	case done:
		m.done.remove(it)
	}
	m.count(it.of, it.place, -1)
	it.place = nowhere
}

// known is the item of an id, or nil.
func (m *Machine) known(id string) *item {
	it := m.ids[id]
	if it == nil || it.of.deleted {
		return nil
	}
	return it
}

// state is what an item is, as people call it.
func (it *item) state() queue.State {
	b := it.of
	switch it.place {
	case waiting, listed:
		switch {
		case b.void:
			return queue.Cancelled
		case it.place == waiting:
			return queue.Delayed
		case b.waits:
			return queue.Blocked
		}
		return queue.Ready
	case leased:
		return queue.Leased
	case done:
		return queue.Done
	case dead:
		return queue.Dead
	}
	return queue.Cancelled
}
