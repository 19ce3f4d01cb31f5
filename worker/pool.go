package worker

import (
	"math"
	"sync"
	"time"
)

const (
	// poolMemory is how far back a pool looks at who has had its slots.
	poolMemory = 10 * time.Second
	poolMoment = time.Second / 2
)

// pool is the slots that the workers of a group share. A worker alone is a
// group of one.
//
// A free slot goes to the member that wants one and had, for its weight, the
// fewest lately, on average. What a member had is forgotten in time, so that the
// turn of everyone comes, and one that was idle for a day has saved up nothing.
type pool struct {
	slots int

	mu      sync.Mutex
	free    []int
	busy    int  // slots with handlers
	full    bool // all are
	members []*member
	at      time.Duration // when recent was brought up to date
}

// member is one worker's part in a pool, which guards it.
type member struct {
	weight  float64
	limit   int           // of slots at once
	held    int           // slots that are its own
	busy    int           // those with handlers
	recent  float64       // how many those were lately, on average
	wants   int           // so many more
	granted []int         // not collected
	wake    chan struct{} // of one: something has changed
}

// crowd is what a worker knows of the others.
type crowd struct {
	room  bool // there is a slot that no handler is in, and the worker may have one more
	full  bool // there is none, since others are in some, and the worker may have one more
	queue bool // another waits for a slot
}

func newPool(slots int) *pool {
	p := &pool{slots: slots}
	for slot := slots; slot > 0; slot-- {
		p.free = append(p.free, slot)
	}
	return p
}

// join makes a member with a weight, which has at most limit slots.
func (p *pool) join(weight, limit int) *member {
	m := &member{weight: float64(weight), limit: limit, wake: make(chan struct{}, 1)}
	p.members = append(p.members, m)
	return m
}

// turn tells in how many of its slots m has handlers, gives slots back, says how
// many are wanted instead, and collects those that m may have: also the ones
// that it gave, if nobody needs them more.
func (p *pool) turn(m *member, now time.Duration, busy int, give []int, wants int) ([]int, crowd) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.age(now)
	p.busy += busy - m.busy
	wasFull := p.full
	m.busy, p.full = busy, p.busy == p.slots
	keep := min(wants, len(m.granted)) // what was granted stays so: else a rival that finds no work gets it again and again
	p.free = append(p.free, give...)
	p.free = append(p.free, m.granted[keep:]...)
	m.held -= len(give) + len(m.granted) - keep
	m.granted, m.wants = m.granted[:keep], wants-keep
	p.share(m)
	more := m.held < m.limit
	c := crowd{room: more && !p.full, full: more && p.full && m.busy < p.busy}
	for _, o := range p.members {
		if o == m {
			continue
		}
		c.queue = c.queue || o.wants > 0 && o.held < o.limit
		if p.full != wasFull {
			o.ring() // to listen, or to stop that
		}
	}
	got := m.granted
	m.granted = nil
	return got, c
}

// seat is a worker's place in a group: one of a pool of slots.
type seat struct {
	pool   *pool
	member *member
}

// leave takes back what a member still has.
func (p *pool) leave(m *member, now time.Duration, give []int) {
	p.turn(m, now, 0, give, 0)
}

// share hands out the free slots. It wakes all that get one, but not caller.
func (p *pool) share(caller *member) {
	for len(p.free) > 0 {
		m := p.neediest()
		if m == nil {
			return
		}
		last := len(p.free) - 1
		m.granted = append(m.granted, p.free[last])
		p.free = p.free[:last]
		m.held++
		m.wants--
		if m != caller {
			m.ring()
		}
	}
}

// neediest is the member that the next free slot is for, or nil. Of equals it
// is the heavier one, then the one that joined first.
func (p *pool) neediest() (best *member) {
	for _, m := range p.members {
		if m.wants <= 0 || m.held >= m.limit {
			continue
		}
		if best == nil || m.share() < best.share() || m.share() == best.share() && m.weight > best.weight {
			best = m
		}
	}
	return best
}

// age brings up to date what each member had lately: a moving average that
// forgets half in seven seconds.
func (p *pool) age(now time.Duration) {
	old := math.Exp(-float64(now-p.at) / float64(poolMemory))
	for _, m := range p.members {
		m.recent = m.recent*old + float64(m.held)*(1-old)
	}
	p.at = now
}

// share is what a member will have had for its weight in a moment, so that of
// many slots at once not all go to one.
func (m *member) share() float64 {
	return (m.recent + float64(m.held)*float64(poolMoment)/float64(poolMemory)) / m.weight
}

func (m *member) ring() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
