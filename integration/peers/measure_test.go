package peers_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// producers is how many goroutines enqueue an item a call.
const producers = 16

// call is how many items go into a call of many.
const call = 100

// payload is what each item holds.
var payload = strings.Repeat("p", 200)

// measure is how many items a second a peer does, of n.
type measure struct {
	name string
	rate func(b *testing.B, p *peer, n int) float64
}

var measures = []measure{
	{"enqueue 1 a call", func(b *testing.B, p *peer, n int) float64 {
		r := timed(n, func() { p.addEach(b, n, p.add) })
		p.empty(b, n)
		return r
	}},
	{"enqueue 1, gathered", func(b *testing.B, p *peer, n int) float64 {
		add := p.gather
		if add == nil {
			add = p.add
		}
		r := timed(n, func() { p.addEach(b, n, add) })
		p.empty(b, n)
		return r
	}},
	{"enqueue 100 a call", func(b *testing.B, p *peer, n int) float64 {
		r := timed(n, func() { p.fill(b, n) })
		p.empty(b, n)
		return r
	}},
	{"work 1", func(b *testing.B, p *peer, n int) float64 { return p.worked(b, n, 1) }},
	{"work 10", func(b *testing.B, p *peer, n int) float64 { return p.worked(b, n, 10) }},
	{"work 50", func(b *testing.B, p *peer, n int) float64 { return p.worked(b, n, 50) }},
}

func timed(n int, f func()) float64 {
	began := time.Now()
	f()
	return float64(n) / time.Since(began).Seconds()
}

// addEach enqueues n items, one at a time for each producer.
func (p *peer) addEach(b *testing.B, n int, add func(context.Context) error) {
	var left atomic.Int64
	left.Store(int64(n))
	var running sync.WaitGroup
	for range producers {
		running.Go(func() {
			for left.Add(-1) >= 0 {
				if err := add(b.Context()); err != nil {
					b.Errorf("%s: %v", p.name, err)
					return
				}
			}
		})
	}
	running.Wait()
}

// fill enqueues n items as the peer does it best: by one goroutine in calls of
// many, and without such calls by many goroutines.
func (p *peer) fill(b *testing.B, n int) {
	if p.bulk == nil {
		p.addEach(b, n, p.add)
		return
	}
	for left := n; left > 0; left -= call {
		if err := p.bulk(b.Context(), min(call, left)); err != nil {
			b.Fatalf("%s: %v", p.name, err)
		}
	}
}

// empty does the n items that are there.
func (p *peer) empty(b *testing.B, n int) { p.run(b, n, 50) }

// worked enqueues n items, and is how many a second a worker of so many slots
// then does.
func (p *peer) worked(b *testing.B, n, slots int) float64 {
	p.fill(b, n)
	return float64(n-1) / p.run(b, n, slots).Seconds()
}

// run is how long it takes from the first handler's begin to the last one's, so
// that nobody's start and stop counts.
func (p *peer) run(b *testing.B, n, slots int) time.Duration {
	var begun, first, last atomic.Int64
	began, done := time.Now(), make(chan struct{})
	stop := p.work(slots, func() {
		switch begun.Add(1) {
		case 1:
			first.Store(int64(time.Since(began)))
		case int64(n):
			last.Store(int64(time.Since(began)))
			close(done)
		}
	})
	defer stop()
	select {
	case <-done:
	case <-time.After(5 * time.Minute):
		b.Fatalf("%s: only %d of %d items have begun", p.name, begun.Load(), n)
	}
	return time.Duration(last.Load() - first.Load())
}

// wake is how long it takes from the enqueue of an item to its handler, in a
// worker that waits idle, in milliseconds. When it comes has nothing to do with
// when the worker looks.
func (w *waker) wake(b *testing.B) (took []float64) {
	begun := make(chan time.Time, 1)
	stop := w.start(10, func() { begun <- time.Now() })
	defer stop()
	for n := range w.samples + 1 {
		<-time.After(10*time.Millisecond + rand.N(w.every+time.Millisecond))
		began := time.Now()
		if err := w.add(b.Context()); err != nil {
			b.Fatalf("%s: %v", w.name, err)
		}
		if at := <-begun; n > 0 { // the first also waits for the start
			took = append(took, float64(at.Sub(began).Microseconds())/1000)
		}
	}
	return took
}
