package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
)

func TestAnIdleWorkerLeavesAfterItsIdleTime(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		began := time.Now()
		run(t, m, takes(time.Minute), Options{LeaveWhenIdle: true, Idle: 30 * time.Second}).wait(ResultLeft)
		if took := time.Since(began); took != 90*time.Second {
			t.Errorf("it left after %s, want a minute of work and 30 s", took)
		}
	})
}

func TestAWorkerStaysWhileWorkComesDue(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		m.items[0].state, m.items[0].due = queue.Delayed, time.Now().Add(20*time.Second)
		run(t, m, takes(time.Second), Options{LeaveWhenIdle: true, Idle: 15 * time.Second}).wait(ResultLeft)
		if got := m.record("a").state; got != queue.Done {
			t.Errorf("it left an item %s that came due within its idle time", got)
		}
	})
}

func TestAWorkerThatIsGoneClaimsNothing(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		m.last["w"] = kept{reply: queue.Reply{Gone: true}}
		r := run(t, m, takes(time.Second), Options{ID: "w"})
		r.wait(ResultLeft)
		if n := len(r.startedItems()); n != 0 {
			t.Errorf("%d items started, want 0", n)
		}
	})
}

func TestAWorkerThatOthersLetGoFinishesWhatRuns(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		r := run(t, m, takes(time.Hour), Options{ID: "w", Slots: 2, Grace: time.Second})
		synctest.Wait()
		if ok, err := m.Leave(t.Context(), "w", 0); !ok || err != nil {
			t.Fatalf("Leave = %t, %v", ok, err)
		}
		r.wait(ResultLeft)
		if got := m.record("a").state; got != queue.Done {
			t.Errorf("the item that ran is %s, want done", got)
		}
	})
}

func TestDrainHurriesAWorkerThatOthersLetGo(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		r := run(t, m, takes(time.Hour), Options{ID: "w", Slots: 2, Grace: time.Second})
		synctest.Wait()
		if ok, err := m.Leave(t.Context(), "w", 0); !ok || err != nil {
			t.Fatalf("Leave = %t, %v", ok, err)
		}
		time.Sleep(time.Minute) // it has noticed
		began := time.Now()
		r.Drain()
		r.wait(ResultDrained)
		if took := time.Since(began); took != time.Second {
			t.Errorf("the drain took %s, want the grace of 1 s", took)
		}
	})
}

func TestDrainFinishesWhatRunsAndGivesBackTheRest(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory(numbered(100)...)
		r := run(t, m, func(ctx context.Context, a *Attempt) error {
			if a.Item.ID == "i20" {
				return takes(10*time.Second)(ctx, a)
			}
			return takes(time.Millisecond)(ctx, a)
		}, Options{})
		for !slices.Contains(r.startedItems(), "i20") {
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if m.count(queue.Leased) < 2 {
			t.Fatal("nothing was claimed ahead")
		}
		began := time.Now()
		r.Drain()
		r.Drain() // a second time changes nothing
		synctest.Wait()
		if n := m.count(queue.Leased); n != 1 {
			t.Errorf("%d leases held right after the drain, want the running one", n)
		}
		r.wait(ResultDrained)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the drain took %s, want what was left of the running item", took)
		}
		if got := m.record("i20").state; got != queue.Done {
			t.Errorf("the running item is %s, want done", got)
		}
		if got := m.record("i21"); got.state != queue.Ready || got.failure.Cause != queue.CauseInterrupted || got.attempts != 0 {
			t.Errorf("an item that was not started is %+v, want it released, Interrupted", got)
		}
	})
}

func TestDrainInterruptsAfterTheGrace(t *testing.T) {
	for _, test := range []struct{ grace, want time.Duration }{
		{0, DefaultGrace},
		{5 * time.Second, 5 * time.Second},
		{-1, 0},
	} {
		t.Run(fmt.Sprint(test.grace), func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				m := newMemory("a")
				r := run(t, m, takes(time.Hour), Options{Grace: test.grace})
				synctest.Wait()
				began := time.Now()
				r.Drain()
				r.wait(ResultDrained)
				if took := time.Since(began); took != test.want {
					t.Errorf("the drain took %s, want %s", took, test.want)
				}
				if got := m.record("a"); got.state != queue.Ready || got.releases != 1 || got.failure.Cause != queue.CauseInterrupted {
					t.Errorf("the item is %+v, want it released, Interrupted", got)
				}
			})
		})
	}
}

func TestDrainBeforeRunClaimsNothing(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		w := New(queue.New(m), takes(0), Options{})
		w.Drain()
		if got, err := w.Run(t.Context()); got != ResultDrained || err != nil {
			t.Errorf("Run returned %s, %v; want drained", got, err)
		}
		if got := m.record("a"); got.state != queue.Ready || got.attempts+got.releases != 0 {
			t.Errorf("the item is %+v, want it untouched", got)
		}
	})
}

func TestTheEndOfTheContextInterruptsAtOnce(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a", "b")
		r := run(t, m, func(ctx context.Context, a *Attempt) error {
			<-ctx.Done()
			if a.Item.ID == "b" {
				time.Sleep(20 * time.Second) // it ends slowly
				return nil
			}
			return fmt.Errorf("child: signal: terminated")
		}, Options{Slots: 2})
		synctest.Wait()
		began := time.Now()
		r.stop()
		r.wait(ResultStopped)
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("Run returned after %s, want when the last handler did", took)
		}
		if got := m.record("a"); got.state != queue.Ready || got.attempts != 0 || got.releases != 1 {
			t.Errorf("a is %+v, want it released", got)
		}
		if got := m.record("b").state; got != queue.Done {
			t.Errorf("b is %s, want done", got)
		}
	})
}

func TestALeavingWorkerGivesUpOnAStoreThatIsAway(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a", "b")
		r := run(t, m, takes(time.Hour), Options{Slots: 2})
		synctest.Wait()
		m.set(func() { m.down = true })
		began := time.Now()
		r.stop()
		<-r.done
		if took := time.Since(began); took < settleTime || took > settleTime+time.Second {
			t.Errorf("it tried for %s, want %s", took, settleTime)
		}
		if r.err == nil || !errors.Is(r.err, queue.ErrUnavailable) || !strings.Contains(r.err.Error(), "2 leases") {
			t.Errorf("Run returned %v, want that 2 leases were not settled", r.err)
		}
		for _, e := range r.settled() {
			if e.Err == nil {
				t.Errorf("%s was told as settled", e.Lease.Item.ID)
			}
		}
	})
}

func TestADrainUsesItsGraceToSettle(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		r := run(t, m, takes(2*time.Second), Options{Grace: 25 * time.Second})
		synctest.Wait()
		m.set(func() { m.down = true })
		time.AfterFunc(20*time.Second, func() { m.set(func() { m.down = false }) })
		r.Drain()
		r.wait(ResultDrained)
		if got := m.record("a"); got.state != queue.Done {
			t.Errorf("the item is %s, want done when the store came back within the grace", got.state)
		}
	})
}

func TestAClaimInTheAirAtTheEndIsGivenBack(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		m.latency = time.Second
		r := run(t, m, takes(time.Hour), Options{})
		time.Sleep(time.Second / 2)
		r.stop()
		r.wait(ResultStopped)
		if got := m.record("a"); got.state != queue.Ready || got.releases != 1 || len(r.startedItems()) != 0 {
			t.Errorf("the item is %+v, want it given back and not started", got)
		}
	})
}

func TestAnErrorThatNoRetryMendsStopsTheWorker(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		r := run(t, m, takes(time.Minute), Options{})
		synctest.Wait()
		broken := errors.New("wrong password")
		m.set(func() { m.broken = broken })
		<-r.done
		if r.got != ResultStopped || !errors.Is(r.err, broken) {
			t.Errorf("Run returned %s, %v; want stopped and the store's error", r.got, r.err)
		}
	})
}

func TestBadOptionsAreNamed(t *testing.T) {
	for want, o := range map[string]Options{
		"slots -1 is out of range: 1 to 4096": {Slots: -1},
		"slots 5000 is out of range":          {Slots: 5000},
		"idle -1s is negative":                {Idle: -time.Second},
		"idle 5s has no effect without leave": {Idle: 5 * time.Second},
		`worker id "a:b" has 3 bytes`:         {ID: "a:b"},
		"lease 1ms is out of range":           {Lease: time.Millisecond},
	} {
		_, err := New(queue.New(newMemory()), takes(0), o).Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestRunRunsOnce(t *testing.T) {
	w := New(queue.New(newMemory()), takes(0), Options{})
	w.Drain()
	if _, err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Run(t.Context()); err == nil {
		t.Error("a second Run returned no error")
	}
}
