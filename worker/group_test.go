package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
)

// grouping is a group under test, in a bubble of fake time.
type grouping struct {
	*Group
	t    *testing.T
	stop context.CancelFunc
	done chan struct{}
	got  Result
	err  error
}

func runGroup(t *testing.T, g *Group) *grouping {
	ctx, stop := context.WithCancel(t.Context())
	r := &grouping{Group: g, t: t, stop: stop, done: make(chan struct{})}
	epoch := time.Now().Add(-time.Hour)
	for _, w := range g.workers {
		w.clock = func() time.Duration { return time.Since(epoch) }
	}
	go func() {
		defer close(r.done)
		r.got, r.err = g.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-r.done
	})
	return r
}

func (r *grouping) wait(want Result) {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(24 * time.Hour):
		r.t.Fatal("Run has not returned after a day")
	}
	if r.got != want || r.err != nil {
		r.t.Errorf("Run returned %s, %v; want %s", r.got, r.err, want)
	}
}

// tally counts what runs, of all workers of a group.
type tally struct {
	t     *testing.T
	mu    sync.Mutex
	slots map[int]bool
	most  int
	ran   map[string]int
}

func newTally(t *testing.T) *tally {
	return &tally{t: t, slots: make(map[int]bool), ran: make(map[string]int)}
}

// count wraps the handler of a queue.
func (c *tally) count(name string, h HandlerFunc) HandlerFunc {
	return func(ctx context.Context, a *Attempt) error {
		c.mu.Lock()
		if c.slots[a.Slot] {
			c.t.Errorf("slot %d is taken twice", a.Slot)
		}
		c.slots[a.Slot] = true
		c.most = max(c.most, len(c.slots))
		c.mu.Unlock()
		err := h(ctx, a)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.slots, a.Slot)
		if err == nil {
			c.ran[name]++
		}
		return err
	}
}

func (c *tally) of(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ran[name]
}

// atOnce is how many ran at once, at the most.
func (c *tally) atOnce() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

func TestAGroupSharesItsSlotsByWeight(t *testing.T) {
	for name, test := range map[string]struct {
		slots        int
		heavy, light time.Duration // of an item
	}{
		"one slot":                 {1, time.Second, time.Second},
		"few slots":                {4, time.Second, time.Second},
		"long and short items":     {4, 4 * time.Second, 20 * time.Millisecond},
		"short and long items":     {4, 20 * time.Millisecond, 4 * time.Second},
		"short items, in one":      {1, 5 * time.Millisecond, 5 * time.Millisecond},
		"more slots than queues":   {20, 3 * time.Second, time.Second},
		"very short beside others": {2, 5 * time.Millisecond, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				const total = time.Minute
				c := newTally(t)
				g := NewGroup(test.slots)
				stores := make(map[string]*memory)
				for _, q := range []struct {
					name   string
					weight int
					takes  time.Duration
				}{{"heavy", 3, test.heavy}, {"light", 1, test.light}} {
					m := newMemory()
					m.endless = true
					m.latency = 100 * time.Microsecond
					stores[q.name] = m
					g.Add(q.weight, New(queue.New(m), c.count(q.name, takes(q.takes)), Options{}))
				}
				runGroup(t, g)
				time.Sleep(total)
				for name, want := range map[string]struct {
					share float64
					each  time.Duration
				}{"heavy": {0.75, test.heavy}, "light": {0.25, test.light}} {
					had := float64(c.of(name)) * want.each.Seconds() / (float64(test.slots) * total.Seconds())
					if had < want.share-0.08 || had > want.share+0.08 {
						t.Errorf("the %s queue had %.2f of the slots, want about %.2f", name, had, want.share)
					}
					if n := stores[name].givenBack(); n > 0 {
						t.Errorf("%d leases of the %s queue were given back, want none", n, name)
					}
				}
				if c.atOnce() != test.slots {
					t.Errorf("%d handlers ran at once, want %d", c.atOnce(), test.slots)
				}
			})
		})
	}
}

func TestAQueueThatIsEmptyTakesNothingFromTheOthers(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newTally(t)
		g := NewGroup(2)
		busy, idle := newMemory(), newMemory()
		busy.endless = true
		g.Add(1, New(queue.New(busy), c.count("busy", takes(time.Second)), Options{}))
		g.Add(100, New(queue.New(idle), c.count("idle", takes(time.Second)), Options{}))
		runGroup(t, g)
		time.Sleep(100*time.Second + time.Second/2)
		if n := c.of("busy"); n < 198 {
			t.Errorf("%d items in 100 s and 2 slots, want 200", n)
		}
		if n := len(idle.exchanged()); n > 220 {
			t.Errorf("%d claims of an empty queue beside 200 items, want one for each at the most", n)
		}
		idle.add("new")
		time.Sleep(2*time.Second + time.Second/2)
		if n := c.of("idle"); n != 1 {
			t.Error("an item of the idle queue did not run in the next slot")
		}
	})
}

func TestAnIdleGroupListensToAllItsQueues(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newTally(t)
		g := NewGroup(1)
		a, b := newMemory(), newMemory()
		g.Add(1, New(queue.New(a), c.count("a", takes(time.Second)), Options{}))
		g.Add(1, New(queue.New(b), c.count("b", takes(time.Second)), Options{}))
		runGroup(t, g)
		time.Sleep(90 * time.Second)
		synctest.Wait()
		if a.waits() != 1 || b.waits() != 1 {
			t.Errorf("%d and %d waits of an idle group, want one of each queue", a.waits(), b.waits())
		}
		if n := len(a.exchanged()) + len(b.exchanged()); n > 8 {
			t.Errorf("%d exchanges in 90 s in which nothing came: that is polling", n)
		}
		a.add("x")
		synctest.Wait()
		if a.waits()+b.waits() != 0 {
			t.Errorf("%d waits with no slot free, want 0", a.waits()+b.waits())
		}
		b.add("y")
		time.Sleep(2*time.Second + time.Second/2)
		synctest.Wait()
		if c.of("a") != 1 || c.of("b") != 1 {
			t.Errorf("%d and %d items ran, want both", c.of("a"), c.of("b"))
		}
		if a.waits() != 1 || b.waits() != 1 {
			t.Errorf("%d and %d waits afterwards, want one of each queue", a.waits(), b.waits())
		}
	})
}

func TestAWorkersSlotsBoundItsPartOfAGroup(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		bounded, free := newTally(t), newTally(t)
		g := NewGroup(5)
		a, b := newMemory(), newMemory()
		a.endless, b.endless = true, true
		g.Add(100, New(queue.New(a), bounded.count("a", takes(time.Second)), Options{Slots: 2}))
		g.Add(1, New(queue.New(b), free.count("b", takes(time.Second)), Options{}))
		runGroup(t, g)
		time.Sleep(time.Minute)
		if bounded.atOnce() != 2 || free.atOnce() < 3 {
			t.Errorf("%d and %d ran at once, want 2 and at least the other 3", bounded.atOnce(), free.atOnce())
		}
	})
}

func TestAGroupLeavesWhenAllItsQueuesAreDone(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		c := newTally(t)
		g := NewGroup(2)
		a, b := newMemory(numbered(3)...), newMemory(numbered(30)...)
		g.Add(1, New(queue.New(a), c.count("a", takes(time.Second)), Options{LeaveWhenIdle: true}))
		g.Add(1, New(queue.New(b), c.count("b", takes(time.Second)), Options{LeaveWhenIdle: true}))
		runGroup(t, g).wait(ResultLeft)
		if c.of("a") != 3 || c.of("b") != 30 {
			t.Errorf("%d and %d items ran, want 3 and 30", c.of("a"), c.of("b"))
		}
	})
}

func TestDrainingAGroupDrainsAll(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		g := NewGroup(2)
		a, b := newMemory(), newMemory()
		a.endless, b.endless = true, true
		g.Add(1, New(queue.New(a), takes(time.Second), Options{}))
		g.Add(1, New(queue.New(b), takes(time.Second), Options{}))
		r := runGroup(t, g)
		time.Sleep(time.Minute + time.Second/2)
		g.Drain()
		r.wait(ResultDrained)
		if n := a.count(queue.Leased) + b.count(queue.Leased); n != 0 {
			t.Errorf("%d leases are held after the drain, want none", n)
		}
	})
}

func TestAnErrorOfOneQueueEndsTheGroup(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		g := NewGroup(2)
		a, b := newMemory("long"), newMemory()
		g.Add(1, New(queue.New(a), takes(time.Hour), Options{}))
		g.Add(1, New(queue.New(b), takes(time.Hour), Options{}))
		r := runGroup(t, g)
		synctest.Wait()
		broken := errors.New("wrong password")
		b.set(func() { b.broken = broken })
		b.sound()
		<-r.done
		if r.got != ResultStopped || !errors.Is(r.err, broken) {
			t.Errorf("Run returned %s, %v; want stopped and the store's error", r.got, r.err)
		}
		if got := a.record("long"); got.releases != 1 {
			t.Errorf("the other queue's item is %+v, want it released", got)
		}
	})
}

func TestABadGroupIsNamed(t *testing.T) {
	some := func(o Options) *Worker { return New(queue.New(newMemory()), takes(0), o) }
	for want, g := range map[string]func() *Group{
		"slots 0 of a group is out of range: 1 to 4096": func() *Group {
			g := NewGroup(0)
			g.Add(1, some(Options{}))
			return g
		},
		"weight 0 of worker 2 of a group is out of range: 1 to 100": func() *Group {
			g := NewGroup(1)
			g.Add(1, some(Options{}))
			g.Add(0, some(Options{}))
			g.Add(101, some(Options{}))
			return g
		},
		"worker 1 of a group: slots -1 is out of range": func() *Group {
			g := NewGroup(1)
			g.Add(1, some(Options{Slots: -1}))
			return g
		},
		"worker 2 of a group is in a group already": func() *Group {
			g := NewGroup(1)
			w := some(Options{})
			g.Add(1, w)
			g.Add(1, w)
			return g
		},
		"a group has no workers": func() *Group { return NewGroup(1) },
	} {
		_, err := g().Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want %q in one line", err, want)
		}
	}
}
