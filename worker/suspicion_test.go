package worker

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
)

func TestSuspicion(t *testing.T) {
	const quick, slow = time.Second, time.Minute
	type step struct {
		id    string // "" is a success
		cause queue.Cause
		took  time.Duration
		at    time.Duration
		pause time.Duration // that begins; 0: none
	}
	exit, stall, bad := queue.CauseExitCode, queue.CauseStalled, queue.CauseBadOutput
	for name, test := range map[string]struct {
		after int
		steps []step
	}{
		"one cause, however slow": {3, []step{
			{"a", exit, slow, 0, 0}, {"b", exit, slow, 1, 0}, {"c", exit, slow, 2, 10 * time.Second},
		}},
		"several causes, all at once": {3, []step{
			{"a", exit, quick, 0, 0}, {"b", bad, quick, 1, 0}, {"c", exit, quick, 2, 10 * time.Second},
		}},
		"several causes, one of them slow": {3, []step{
			{"a", exit, quick, 0, 0}, {"b", bad, quick, 1, 0}, {"c", stall, slow, 2, 0}, {"d", exit, quick, 3, 0},
		}},
		"one item again and again": {3, []step{
			{"a", exit, quick, 0, 0}, {"a", exit, quick, 1, 0}, {"a", exit, quick, 2, 0}, {"b", exit, quick, 3, 0}, {"c", exit, quick, 4, 10 * time.Second},
		}},
		"a success between": {3, []step{
			{"a", exit, quick, 0, 0}, {"b", exit, quick, 1, 0}, {}, {"c", exit, quick, 2, 0},
		}},
		"an old failure of another kind is forgotten": {3, []step{
			{"a", stall, slow, 0, 0}, {"b", exit, slow, 1, 0}, {"c", exit, slow, 2, 0}, {"d", exit, slow, 3, 10 * time.Second},
		}},
		"what fails during the pause does not double it": {2, []step{
			{"a", exit, slow, 0, 0}, {"b", exit, slow, 0, 10 * time.Second}, {"c", exit, slow, 9 * time.Second, 0},
			{"d", exit, slow, 10 * time.Second, 20 * time.Second},
		}},
		"pauses double to a limit": {1, []step{
			{"a", exit, quick, 0, 10 * time.Second}, {"b", exit, quick, time.Hour, 20 * time.Second},
			{"c", exit, quick, 2 * time.Hour, 40 * time.Second}, {"a", exit, quick, 3 * time.Hour, 80 * time.Second},
			{"b", exit, quick, 4 * time.Hour, 160 * time.Second}, {"c", exit, quick, 5 * time.Hour, 320 * time.Second},
			{"a", exit, quick, 6 * time.Hour, 6 * time.Minute}, {"b", exit, quick, 7 * time.Hour, 6 * time.Minute},
			{}, {"c", exit, quick, 8 * time.Hour, 10 * time.Second},
		}},
		"never": {-1, []step{{"a", exit, quick, 0, 0}, {"b", exit, quick, 0, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := suspicion{after: test.after}
			for i, x := range test.steps {
				if x.id == "" {
					s.success()
					if s.onTrial() || s.paused(0) {
						t.Errorf("step %d: a success did not clear the worker", i)
					}
					continue
				}
				reason := s.failure(x.at, x.id, x.cause, x.took)
				if (reason != "") != (x.pause != 0) {
					t.Errorf("step %d: reason %q, want a pause of %s", i, reason, x.pause)
				}
				if x.pause != 0 && (!s.paused(x.at+x.pause-1) || s.paused(x.at+x.pause)) {
					t.Errorf("step %d: the pause ends at %s, want %s", i, s.until, x.at+x.pause)
				}
			}
		})
	}
}

func TestASuspectWorkerGivesBackWhatItClaimedAhead(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory(numbered(1000)...)
		m.latency = time.Millisecond
		var handled atomic.Int64
		r := run(t, m, func(ctx context.Context, a *Attempt) error {
			if handled.Add(1) > 200 {
				return fmt.Errorf("disk full")
			}
			return takes(time.Millisecond)(ctx, a)
		}, Options{})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		failed := m.count(queue.Delayed)
		if failed != 5 || m.count(queue.Leased) != 0 {
			t.Errorf("%d items failed and %d are leased, want 5 and none", failed, m.count(queue.Leased))
		}
		released := 0
		for _, e := range r.settled() {
			if e.Verb == queue.Release && e.Slot == 0 && e.Failure.Message == suspectRelease {
				released++
			}
		}
		if released < 20 {
			t.Errorf("%d leases given back, want what was claimed ahead", released)
		}
	})
}

func TestALeavingWorkerDoesNotSuspectItself(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory("a")
		r := run(t, m, func(ctx context.Context, _ *Attempt) error {
			<-ctx.Done()
			return Fail(queue.Failure{Cause: queue.CauseKilled})
		}, Options{SuspectAfter: 1})
		synctest.Wait()
		r.stop()
		r.wait(ResultStopped)
		if len(r.suspects) != 0 {
			t.Errorf("told as suspect %q, want nothing", r.suspects)
		}
	})
}

func TestASuspectWorkerDoesNotBurnTheQueue(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		m := newMemory(numbered(1000)...)
		var broken atomic.Bool
		broken.Store(true)
		r := run(t, m, func(context.Context, *Attempt) error {
			if broken.Load() {
				return fmt.Errorf("no such library")
			}
			return nil
		}, Options{Slots: 4, LeaveWhenIdle: true})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		first := len(r.startedItems())
		if first < 5 || first > 8 {
			t.Errorf("%d items were tried before the worker was suspect, want 5 and what ran beside", first)
		}
		if len(r.suspects) != 1 || !strings.Contains(r.suspects[0], "last 5 items all failed with Error") {
			t.Errorf("told as suspect %q, want once, with the reason", r.suspects)
		}
		if m.count(queue.Leased) != 0 || m.waits() != 0 {
			t.Errorf("a suspect worker holds %d leases and takes %d rings", m.count(queue.Leased), m.waits())
		}
		time.Sleep(60 * time.Second) // pauses end after 10, 30 and 70 s
		synctest.Wait()
		if tried := len(r.startedItems()) - first; tried != 2 {
			t.Errorf("%d items were tried on trial in a minute, want 2", tried)
		}
		broken.Store(false)
		r.wait(ResultLeft)
		if last := r.suspects[len(r.suspects)-1]; last != "" {
			t.Errorf("the last that was told is %q, want that the worker is clear", last)
		}
		if n := m.count(queue.Done); n != 1000 {
			t.Errorf("%d items done in the end, want 1000", n)
		}
	})
}
