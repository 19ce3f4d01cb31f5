package worker

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
)

func TestOneExchangeSettlesAndClaims(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory(numbered(3)...)
		r := run(t, m, takes(time.Minute), Options{LeaveWhenIdle: true})
		r.wait(ResultLeft)
		var got [][2]int
		for _, x := range m.exchanged() {
			got = append(got, [2]int{len(x.Settle), x.Claim})
		}
		if want := [][2]int{{0, 1}, {1, 1}, {1, 1}, {1, 1}}; !slices.Equal(got, want) {
			t.Errorf("exchanges (settled, claimed) %v, want %v", got, want)
		}
		if n := m.count(queue.Done); n != 3 {
			t.Errorf("%d items done, want 3", n)
		}
	})
}

func TestWhatEndsDuringAnExchangeIsSettledByTheNext(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory(numbered(100)...)
		m.latency = 100 * time.Millisecond
		r := run(t, m, takes(60*time.Millisecond), Options{Slots: 10, LeaveWhenIdle: true})
		r.wait(ResultLeft)
		if n := m.count(queue.Done); n != 100 {
			t.Errorf("%d items done, want 100", n)
		}
		// The first of ten that end together goes alone, since nothing waits.
		if n := len(m.exchanged()); n > 22 {
			t.Errorf("%d exchanges for 100 items in 10 slots, want about 20", n)
		}
	})
}

func TestNoTwoRunningAttemptsShareASlot(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		const slots = 5
		var mu sync.Mutex
		busy, most := make(map[int]bool), 0
		m := newMemory(numbered(50)...)
		run(t, m, func(ctx context.Context, a *Attempt) error {
			mu.Lock()
			if a.Slot < 1 || a.Slot > slots || busy[a.Slot] {
				t.Errorf("slot %d is out of range or taken", a.Slot)
			}
			busy[a.Slot] = true
			most = max(most, len(busy))
			mu.Unlock()
			time.Sleep(time.Duration(1+len(a.Item.ID)) * time.Second) // the work
			mu.Lock()
			delete(busy, a.Slot)
			mu.Unlock()
			return nil
		}, Options{Slots: slots, LeaveWhenIdle: true}).wait(ResultLeft)
		if most != slots {
			t.Errorf("%d slots were busy at once, want %d", most, slots)
		}
	})
}

func TestANewItemStartsAtOnceInAFreeSlot(t *testing.T) {
	for _, busy := range []string{"no other", "a busy"} {
		t.Run("beside "+busy+" slot", func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				m := newMemory()
				if busy == "a busy" {
					m.add("long")
				}
				r := run(t, m, takes(time.Hour), Options{Slots: 2})
				time.Sleep(90 * time.Second)
				synctest.Wait()
				before := len(m.exchanged())
				m.add("new")
				synctest.Wait()
				if !slices.Contains(r.startedItems(), "new") {
					t.Error("the item was not started when it came")
				}
				if before > 2 {
					t.Errorf("%d exchanges in 90 s in which nothing came: that is polling", before)
				}
			})
		})
	}
}

func TestABusyWorkerLeavesTheRingsToOthers(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory()
		run(t, m, takes(time.Hour), Options{Slots: 2})
		synctest.Wait()
		m.add("a")
		synctest.Wait()
		if m.waits() != 1 {
			t.Errorf("%d waits with a slot free, want 1", m.waits())
		}
		m.add("b")
		synctest.Wait()
		if m.waits() != 0 {
			t.Errorf("%d waits with no slot free, want 0", m.waits())
		}
	})
}

func TestAWaitIsCalledOffWhenTheSlotsAreFull(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		r := run(t, m, takes(10*time.Second), Options{Slots: 2})
		synctest.Wait()
		m.set(func() { // two that are not announced
			m.items = append(m.items, &record{id: "b", state: queue.Ready}, &record{id: "c", state: queue.Ready})
		})
		if m.waits() != 1 {
			t.Errorf("%d waits with a slot free, want 1", m.waits())
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if got := r.startedItems(); len(got) != 3 || m.waits() != 0 {
			t.Errorf("%q started and %d waits, want all three and no wait", got, m.waits())
		}
	})
}

func TestADelayedItemStartsWhenItIsDue(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		failed := false
		began := time.Now()
		r := run(t, m, func(context.Context, *Attempt) error {
			if !failed {
				failed = true
				return context.DeadlineExceeded
			}
			return nil
		}, Options{Slots: 2, LeaveWhenIdle: true, Idle: 20 * time.Second})
		r.wait(ResultLeft)
		if got := m.record("a"); got.state != queue.Done || got.attempts != 1 {
			t.Errorf("item is %+v, want done after one failed attempt", got)
		}
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("it took %s, want the delay of 10 s and 20 s of idling", took)
		}
	})
}

func TestShortItemsAreClaimedAhead(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory(numbered(1000)...)
		m.latency = time.Millisecond
		r := run(t, m, takes(time.Millisecond), Options{Slots: 2, LeaveWhenIdle: true})
		began := time.Now()
		r.wait(ResultLeft)
		if n := m.count(queue.Done); n != 1000 {
			t.Errorf("%d items done, want 1000", n)
		}
		// 1000 ms of work in 2 slots; claimed one by one it would take twice that.
		if took := time.Since(began); took > 520*time.Millisecond {
			t.Errorf("it took %s, want about 500 ms", took)
		}
	})
}

// While there is work at hand, what has ended gathers; when there is none left
// it is settled at once.
func TestTheEndsOfShortItemsGather(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory(numbered(1000)...)
		r := run(t, m, takes(time.Millisecond), Options{LeaveWhenIdle: true})
		began := time.Now()
		r.wait(ResultLeft)
		if n := m.count(queue.Done); n != 1000 {
			t.Errorf("%d items done, want 1000", n)
		}
		if n := len(m.exchanged()); n > 100 {
			t.Errorf("%d exchanges for 1000 items of a millisecond, want them gathered", n)
		}
		if took := time.Since(began); took > 1100*time.Millisecond {
			t.Errorf("it took %s, want about 1 s: somebody waited for nothing", took)
		}
	})
}

func TestWhatWasClaimedAheadOfALongItemIsGivenBack(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory(numbered(100)...)
		r := run(t, m, func(ctx context.Context, a *Attempt) error {
			if a.Item.ID == "i20" {
				return takes(time.Hour)(ctx, a)
			}
			return takes(time.Millisecond)(ctx, a)
		}, Options{})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := m.count(queue.Leased); n != 1 {
			t.Errorf("%d leases held 3 s into a long item, want only its own", n)
		}
		if m.record("i21").releases != 1 || len(r.verbs("i21")) != 1 {
			t.Errorf("i21 is %+v, settled with %v; want one release", m.record("i21"), r.verbs("i21"))
		}
	})
}

func TestAPanicIsAFailure(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		r := run(t, m, func(context.Context, *Attempt) error {
			explode()
			return nil
		}, Options{})
		synctest.Wait()
		f := m.record("a").failure
		if v := r.verbs("a"); !slices.Equal(v, []queue.Verb{queue.Nack}) || f.Cause != queue.CauseError {
			t.Errorf("settled with %v, cause %s; want one nack with cause Error", v, f.Cause)
		}
		lines := strings.Split(f.Message, "\n")
		if lines[0] != "panic: boom" || len(lines) < 2 || !strings.Contains(lines[1], "explode") {
			t.Errorf("the message is %q; want the panic's value, then where it was", f.Message)
		}
	})
}

//go:noinline
func explode() { panic("boom") }

func TestAHandlerThatEndsItsGoroutineFails(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		r := run(t, m, func(context.Context, *Attempt) error {
			runtime.Goexit()
			return nil
		}, Options{})
		synctest.Wait()
		if v := r.verbs("a"); !slices.Equal(v, []queue.Verb{queue.Nack}) {
			t.Errorf("settled with %v, want one nack", v)
		}
	})
}

func TestALostReplyDoesNoHarm(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory(numbered(20)...)
		m.lose = 3
		r := run(t, m, func(ctx context.Context, a *Attempt) error {
			m.set(func() { m.lose = 2 }) // the settling one's
			a.Result = []byte("of " + a.Item.ID)
			return takes(time.Second)(ctx, a)
		}, Options{Slots: 4, LeaveWhenIdle: true})
		r.wait(ResultLeft)
		started := r.startedItems()
		slices.Sort(started)
		if len(started) != 20 || len(slices.Compact(started)) != 20 {
			t.Errorf("started %q, want each item once", started)
		}
		for _, e := range r.settled() {
			if e.Err != nil {
				t.Errorf("%s of %s: %v", e.Verb, e.Lease.Item.ID, e.Err)
			}
		}
		if got := m.record("i7").result; got != "of i7" {
			t.Errorf("the result of i7 is %q", got)
		}
	})
}
