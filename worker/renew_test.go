package worker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
)

func TestLeasesAreRenewedInOneCallEveryThird(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory(numbered(3)...)
		r := run(t, m, takes(95*time.Second), Options{Slots: 3, LeaveWhenIdle: true})
		r.wait(ResultLeft)
		if n := m.count(queue.Done); n != 3 {
			t.Errorf("%d items done, want 3", n)
		}
		if n := len(m.extended()); n != 9 {
			t.Errorf("%d renewals in 95 s of a lease of 30 s, want 9", n)
		}
		for _, leases := range m.extended() {
			if len(leases) != 3 {
				t.Errorf("a renewal of %d leases, want all 3", len(leases))
			}
		}
	})
}

func TestALostLeaseCancelsItsHandlerAlone(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a", "b")
		cause := make(chan error, 1)
		r := run(t, m, func(ctx context.Context, a *Attempt) error {
			if a.Item.ID == "b" {
				return takes(time.Minute)(ctx, a)
			}
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return nil // would be an ack
		}, Options{Slots: 2})
		synctest.Wait()
		m.steal("a")
		if err := <-cause; !errors.Is(err, queue.ErrLeaseLost) {
			t.Errorf("cancelled with cause %v, want ErrLeaseLost", err)
		}
		synctest.Wait()
		if got := m.record("a"); got.state != queue.Leased {
			t.Errorf("a is %s, want it left to its new holder", got.state)
		}
		for _, e := range r.settled() {
			if e.Lease.Item.ID == "a" && !errors.Is(e.Err, queue.ErrLeaseLost) {
				t.Errorf("the end of a was told with error %v, want ErrLeaseLost", e.Err)
			}
		}
		for _, x := range m.exchanged() {
			for _, s := range x.Settle {
				t.Errorf("settled %s %s, want nothing yet", s.Verb, s.Lease.Item.ID)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := m.record("b"); got.state != queue.Done {
			t.Errorf("b is %s, want done", got.state)
		}
	})
}

func TestALostLeaseIsNotRenewedWhileItsHandlerLingers(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a", "b")
		run(t, m, func(ctx context.Context, a *Attempt) error {
			time.Sleep(time.Minute) // whatever its context says
			return nil
		}, Options{Slots: 2})
		synctest.Wait()
		m.steal("a")
		time.Sleep(35 * time.Second)
		synctest.Wait()
		var sizes []int
		for _, leases := range m.extended() {
			sizes = append(sizes, len(leases))
		}
		if want := []int{2, 1, 1}; !slices.Equal(sizes, want) {
			t.Errorf("renewals of %v leases, want %v", sizes, want)
		}
	})
}

func TestALeaseThatThePolicyShortensIsRenewedInTime(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		r := run(t, m, takes(40*time.Second), Options{Slots: 2})
		synctest.Wait()
		time.Sleep(time.Second)
		m.set(func() { m.lease = 3 * time.Second })
		m.add("b")
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if m.count(queue.Done) != 2 || len(r.startedItems()) != 2 {
			t.Errorf("%d items done after %d starts, want 2 and 2", m.count(queue.Done), len(r.startedItems()))
		}
		if n := len(m.extended()); n < 35 {
			t.Errorf("%d renewals in 40 s of a lease of 3 s", n)
		}
	})
}

// What runs claims nothing meanwhile, so that no new lease tells of it.
func TestALeaseThatThePolicyShortensUnderARunningItemIsRenewedInTime(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		r := run(t, m, takes(2*time.Minute), Options{LeaveWhenIdle: true})
		synctest.Wait()
		m.set(func() { m.lease = 3 * time.Second })
		other := run(t, m, takes(time.Minute), Options{ID: "idle"})
		for range 115 {
			time.Sleep(time.Second)
			m.set(m.sound) // so that it looks
		}
		r.wait(ResultLeft)
		if m.count(queue.Done) != 1 || len(other.startedItems()) != 0 {
			t.Errorf("%d items done, and another worker has begun %q", m.count(queue.Done), other.startedItems())
		}
		if n := len(m.extended()); n < 100 {
			t.Errorf("%d renewals in 110 s of a lease of 3 s", n)
		}
	})
}

// ended runs a handler that waits for its end and returns how long it ran.
func ended(t *testing.T, m *memory, h Handler, ran chan time.Duration) time.Duration {
	runHandler(t, m, h, Options{})
	synctest.Wait()
	m.set(func() { m.down = true })
	return <-ran
}

func TestAHandlerEndsAtItsDeadlineWhileTheStoreIsAway(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		ran := make(chan time.Duration, 1)
		began := time.Now()
		got := ended(t, newMemory("a"), HandlerFunc(func(ctx context.Context, _ *Attempt) error {
			<-ctx.Done()
			if err := context.Cause(ctx); !errors.Is(err, queue.ErrLeaseLost) {
				t.Errorf("cause %v, want ErrLeaseLost", err)
			}
			ran <- time.Since(began)
			return nil
		}), ran)
		if got < 30*time.Second || got > 31*time.Second {
			t.Errorf("the handler ran for %s without a renewal, want the lease of 30 s", got)
		}
	})
}

func TestASuspendedMachineFindsItsLeasesLost(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		ran := make(chan time.Duration, 1)
		began := time.Now()
		r := run(t, m, func(ctx context.Context, _ *Attempt) error {
			<-ctx.Done()
			ran <- time.Since(began)
			return nil
		}, Options{})
		time.Sleep(5 * time.Second)
		r.slept.Store(int64(time.Hour))
		if got := <-ran; got > 6*time.Second {
			t.Errorf("the handler ran until %s, want its end within a second of the suspend at 5s", got)
		}
	})
}

// persistent is a handler that goes on without the store.
type persistent struct {
	HandlerFunc
	grace time.Duration
}

func (p persistent) StoreGrace() time.Duration { return p.grace }

func TestAPersistentHandlerGoesOnForItsGrace(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		ran := make(chan time.Duration, 1)
		began := time.Now()
		got := ended(t, newMemory("a"), persistent{func(ctx context.Context, _ *Attempt) error {
			<-ctx.Done()
			ran <- time.Since(began)
			return nil
		}, 10 * time.Minute}, ran)
		if want := 10*time.Minute + 30*time.Second; got < want || got > want+time.Second {
			t.Errorf("the handler ran for %s, want %s", got, want)
		}
	})
}

func TestAStoreThatComesBackFindsThePersistentHandlerAtWork(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		r := runHandler(t, m, persistent{takes(5 * time.Minute), 10 * time.Minute}, Options{LeaveWhenIdle: true})
		synctest.Wait()
		m.set(func() { m.down = true })
		time.Sleep(3 * time.Minute)
		m.set(func() { m.down = false })
		r.wait(ResultLeft)
		if got := m.record("a"); got.state != queue.Done || len(r.startedItems()) != 1 {
			t.Errorf("item is %+v after %d starts, want done after one", got, len(r.startedItems()))
		}
		if n := len(m.extended()); n < 11 {
			t.Errorf("%d renewals, want one every 10 s for the two minutes after the store came back", n)
		}
	})
}

func TestAShortOutageIsNotNoticed(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory(numbered(4)...)
		r := run(t, m, takes(40*time.Second), Options{Slots: 2, LeaveWhenIdle: true})
		time.Sleep(5 * time.Second)
		m.set(func() { m.down = true })
		time.Sleep(20 * time.Second)
		m.set(func() { m.down = false })
		r.wait(ResultLeft)
		if n := m.count(queue.Done); n != 4 || len(r.startedItems()) != 4 {
			t.Errorf("%d items done after %d starts, want 4 and 4", n, len(r.startedItems()))
		}
	})
}

func TestCommitIsTriedWhileTheStoreIsAway(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a", "b")
		m.items[1].due, m.items[1].state = time.Now().Add(time.Hour), queue.Delayed
		errs := make(chan error, 1)
		run(t, m, func(ctx context.Context, a *Attempt) error {
			m.set(func() { m.down = true })
			time.AfterFunc(10*time.Second, func() { m.set(func() { m.down = false }) })
			errs <- a.Commit(ctx, []byte("record"))
			m.steal("a")
			errs <- a.Commit(ctx, []byte("record"))
			return nil
		}, Options{})
		if err := <-errs; err != nil {
			t.Errorf("commit: %v", err)
		}
		if err := <-errs; !errors.Is(err, queue.ErrLeaseLost) {
			t.Errorf("commit with an old token: %v, want ErrLeaseLost", err)
		}
	})
}

func TestTheDeadlineMovesWithEachRenewal(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		attempts := make(chan *Attempt, 1)
		contexts := make(chan context.Context, 1)
		run(t, m, func(ctx context.Context, a *Attempt) error {
			attempts <- a
			contexts <- ctx
			return takes(time.Hour)(ctx, a)
		}, Options{})
		a := <-attempts
		if left := time.Until(a.Deadline()); left != 30*time.Second {
			t.Errorf("%s left at the start, want the lease of 30 s", left)
		}
		time.Sleep(9 * time.Second)
		if left := time.Until(a.Deadline()); left != 21*time.Second {
			t.Errorf("%s left before the first renewal, want 21 s", left)
		}
		time.Sleep(2 * time.Second)
		if left := time.Until(a.Deadline()); left != 29*time.Second {
			t.Errorf("%s left a second after a renewal, want 29 s", left)
		}
		if _, fixed := (<-contexts).Deadline(); fixed {
			t.Error("the handler's context has a deadline, which renewals could not move")
		}
	})
}

func TestTheDeadlineOfAnAttemptOutsideAWorker(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		a := NewAttempt(queue.Lease{TTL: time.Minute}, "w", 1, nil)
		time.Sleep(time.Second)
		if left := time.Until(a.Deadline()); left != 59*time.Second {
			t.Errorf("%s left, want what remains of the lease", left)
		}
	})
}

// lateOnce has the first exchange take so long.
func (m *memory) lateOnce(latency time.Duration) {
	m.latency = latency
	time.AfterFunc(latency/2, func() { m.set(func() { m.latency = 0 }) })
}

// A claim that the store answers when the lease is nearly over, or over, by the
// worker's clock: nothing is begun that would be ended at once.
func TestALateClaimIsRenewedBeforeItsItemIsBegun(t *testing.T) {
	for _, late := range []time.Duration{29800 * time.Millisecond, 31 * time.Second} {
		t.Run(late.String(), func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				m := newMemory(numbered(2)...)
				m.lateOnce(late)
				m.slow = 500 * time.Millisecond
				r := run(t, m, takes(2*time.Second), Options{Slots: 2, LeaveWhenIdle: true})
				r.wait(ResultLeft)
				if n := m.count(queue.Done); n != 2 || len(r.startedItems()) != 2 || m.givenBack() != 0 {
					t.Errorf("%d items done after %d starts and %d releases, want 2, 2, 0", n, len(r.startedItems()), m.givenBack())
				}
			})
		})
	}
}

// What waits for a renewal that does not come is given back: others may have time.
func TestALateClaimWithoutARenewalIsGivenBack(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		m.lateOnce(29800 * time.Millisecond)
		m.slow = time.Minute
		r := run(t, m, takes(2*time.Second), Options{})
		time.Sleep(35 * time.Second)
		synctest.Wait()
		if m.givenBack() != 1 || len(r.startedItems()) != 1 {
			t.Errorf("%d releases and %d starts, want one, and one of its next lease", m.givenBack(), len(r.startedItems()))
		}
	})
}
