package main

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"sluice.dev/queue"
)

// cluster is what a simulated scaler acts on: pods that take a while to start,
// then do one item after another. All times are since the simulation began.
type cluster struct {
	trace  trace
	scaler scaler
	rand   *rand.Rand

	now    time.Duration
	events events
	seq    int // orders events of one instant

	next  int   // of the trace's items: the first that has not arrived
	ready []int // arrived and not claimed, oldest first
	head  int   // of ready
	starting,
	busy int
	idle   []*pod // oldest first
	result result

	looking bool // a look of the scaler is due already
}

// pod is one worker.
type pod struct {
	slow  float64 // how many times longer its node takes for everything
	began time.Duration
	items int
	rest  int // counts its times of idleness, so that a timer knows its own
}

// scaler decides how many pods to start and when a pod ends.
type scaler interface {
	// poll is how often scale is called; 0 is at each event.
	poll() time.Duration
	// scale tells how many pods to start now.
	scale(c *cluster) int
	// one tells whether a pod ends after one item.
	one() bool
	// stay is how long a pod that finds nothing waits for more.
	stay() time.Duration
	// least is how many pods are kept.
	least() int
}

// reaction is how long an event takes to become a decision where a scaler is
// told of events: what many events ask is decided once.
const reaction = 100 * time.Millisecond

// result is what a simulation came to.
type result struct {
	Drained  time.Duration // from the last arrival to the last item's end
	Wait     time.Duration // from arrival to claim: the mean
	Peak     int           // pods at once
	Started  int           // pods
	Nothing  int           // pods that ended without having done an item
	PodHours float64       // from a pod's creation to its end
	Depth    []sample
}

type sample struct {
	At    time.Duration
	Pods  int
	Ready int
}

type event struct {
	at  time.Duration
	seq int
	do  func()
}

type events []event

func (e *events) Len() int { return len(*e) }
func (e *events) Less(i, j int) bool {
	a, b := (*e)[i], (*e)[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}
func (e *events) Swap(i, j int) { (*e)[i], (*e)[j] = (*e)[j], (*e)[i] }
func (e *events) Push(x any)    { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}

func (c *cluster) after(d time.Duration, do func()) {
	c.seq++
	heap.Push(&c.events, event{c.now + d, c.seq, do})
}

// simulate runs a trace to its end under a scaler. The same seed gives the
// same pods on the same nodes, whatever the scaler.
func simulate(t trace, s scaler, seed uint64) result {
	c := &cluster{trace: t, scaler: s, rand: rand.New(rand.NewPCG(seed, 1))}
	if len(t.Items) > 0 {
		c.after(t.Items[0].At, c.arrive)
	}
	if every := s.poll(); every > 0 {
		var tick func()
		tick = func() {
			c.look()
			c.after(every, tick)
		}
		// A poll does not know when the first item comes.
		c.after(time.Duration(c.rand.Int64N(int64(every))), tick)
	} else {
		c.event()
	}
	done := 0
	ended := func() bool { return done == len(t.Items) && c.pods() <= s.least() }
	record := max(t.Length()/200, time.Second)
	var sampling func()
	sampling = func() {
		c.result.Depth = append(c.result.Depth, sample{c.now, c.pods(), len(c.ready) - c.head})
		c.after(record, sampling)
	}
	sampling()
	for len(c.events) > 0 && !ended() {
		e := heap.Pop(&c.events).(event)
		c.now = e.at
		e.do()
		done = c.next - (len(c.ready) - c.head) - c.busy
	}
	c.result.Wait /= time.Duration(max(len(t.Items), 1))
	return c.result
}

func (c *cluster) pods() int { return c.starting + c.busy + len(c.idle) }

// depth is the queue as a driver tells it.
func (c *cluster) depth() queue.Depth {
	waiting := int64(len(c.ready) - c.head)
	return queue.Depth{Ready: waiting, Leased: int64(c.busy), NextDue: -1}
}

func (c *cluster) arrive() {
	at := c.now
	for ; c.next < len(c.trace.Items) && c.trace.Items[c.next].At == at; c.next++ {
		c.ready = append(c.ready, c.next)
		if n := len(c.idle); n > 0 {
			p := c.idle[n-1] // the one that came last: the others may leave
			c.idle = c.idle[:n-1]
			c.claim(p)
		}
	}
	if c.next < len(c.trace.Items) {
		c.after(c.trace.Items[c.next].At-at, c.arrive)
	}
	c.event()
}

// event tells a scaler that is told of events that something happened.
func (c *cluster) event() {
	if c.scaler.poll() > 0 || c.looking {
		return
	}
	c.looking = true
	c.after(reaction, func() {
		c.looking = false
		c.look()
	})
}

func (c *cluster) look() {
	for range c.scaler.scale(c) {
		p := &pod{slow: 1, began: c.now}
		if c.rand.Float64() < c.trace.SlowNodes {
			p.slow = 8
		}
		c.starting++
		c.result.Started++
		start := c.trace.Start + time.Duration(c.rand.Int64N(int64(c.trace.Start)))
		c.after(time.Duration(float64(start)*p.slow), func() {
			c.starting--
			c.claim(p)
		})
	}
	c.result.Peak = max(c.result.Peak, c.pods())
}

// claim gives a pod the oldest item, or lets it wait.
func (c *cluster) claim(p *pod) {
	if c.head == len(c.ready) {
		c.wait(p)
		return
	}
	it := c.trace.Items[c.ready[c.head]]
	c.head++
	c.busy++
	p.items++
	c.result.Wait += c.now - it.At
	c.after(time.Duration(float64(it.Takes)*p.slow), func() {
		c.busy--
		if c.now > c.trace.Length() {
			c.result.Drained = c.now - c.trace.Length()
		}
		if c.scaler.one() {
			c.end(p)
		} else {
			c.claim(p)
		}
		c.event()
	})
}

// wait lets a pod that found nothing end, at once or after a while of rest.
func (c *cluster) wait(p *pod) {
	stay := c.scaler.stay()
	if stay == 0 {
		c.end(p)
		return
	}
	c.idle = append(c.idle, p)
	p.rest++
	rest := p.rest
	var leave func()
	leave = func() {
		for i, q := range c.idle {
			if q != p || p.rest != rest {
				continue
			}
			if c.pods() > c.scaler.least() {
				c.idle = append(c.idle[:i], c.idle[i+1:]...)
				c.end(p)
			} else {
				c.after(stay, leave)
			}
			return
		}
	}
	c.after(stay, leave)
}

func (c *cluster) end(p *pod) {
	if p.items == 0 {
		c.result.Nothing++
	}
	c.result.PodHours += (c.now - p.began).Hours()
	c.event()
}
