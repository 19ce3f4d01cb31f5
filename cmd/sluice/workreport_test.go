package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
	"sluice.dev/worker"
)

// text is what was written so far.
type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// reporting runs f with a desk whose queue has this many retries, and returns what
// was told, until and with the end.
func reporting(t *testing.T, retries *int, f func(d *desk, said *text)) string {
	t.Helper()
	var said text
	synctest.Test(t, func(*testing.T) {
		r := newWorkReport(&said)
		f(r.desk("", func(context.Context) (queue.Policy, error) {
			if retries == nil {
				return queue.Policy{}, queue.ErrUnavailable
			}
			return queue.Policy{BackoffLimit: retries}, nil
		}), &said)
		r.close()
	})
	return said.String()
}

func endOf(id string, verb queue.Verb, attempt int) worker.End {
	e := worker.End{Slot: 1, Settlement: queue.Settlement{Lease: queue.Lease{Item: queue.Item{ID: id}, Attempt: attempt}, Verb: verb}}
	if verb != queue.Ack {
		e.Failure = queue.Failure{Cause: queue.CauseStalled}
	}
	return e
}

func TestReportTellsWhatFailedAndWhatBecomesOfIt(t *testing.T) {
	lost := endOf("lost", queue.Nack, 9)
	lost.Err = queue.ErrLeaseLost
	unsettled := endOf("unsettled", queue.Ack, 1)
	unsettled.Err = errors.New("the store is gone")
	retries := 1
	got := reporting(t, &retries, func(d *desk, _ *text) {
		for _, e := range []worker.End{
			endOf("done", queue.Ack, 1), endOf("first", queue.Nack, 1), endOf("last", queue.Nack, 2),
			endOf("buried", queue.Bury, 1), endOf("given back", queue.Release, 1), lost, unsettled,
		} {
			d.settled(e)
		}
		synctest.Wait()
		time.Sleep(limitFresh) // of the bubble
		retries = 2            // somebody has changed it
		d.settled(endOf("again", queue.Nack, 2))
	})
	const want = `sluice: first: attempt 1 failed, the item is retried: Stalled
sluice: last: attempt 2 failed, the item is dead: Stalled
sluice: buried: attempt 1 failed, the item is dead: Stalled
sluice: again: attempt 2 failed, the item is retried: Stalled
1 done, 2 dead, 4 attempts failed
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := reporting(t, nil, func(*desk, *text) {}); got != "0 done, 0 dead\n" {
		t.Errorf("of nothing it says %q", got)
	}
}

// While the limit cannot be read, that which nobody has stated stands.
func TestReportWithoutAPolicy(t *testing.T) {
	got := reporting(t, nil, func(d *desk, _ *text) {
		d.settled(endOf("a", queue.Nack, 6))
		d.settled(endOf("a", queue.Nack, 7))
	})
	if !strings.HasSuffix(got, "0 done, 1 dead, 2 attempts failed\n") {
		t.Errorf("it says\n%s", got)
	}
}

func TestReportDoesNotFlood(t *testing.T) {
	retries := 0
	got := reporting(t, &retries, func(d *desk, said *text) {
		for i := range 100 {
			d.settled(endOf(fmt.Sprint("a", i), queue.Nack, 1))
		}
		synctest.Wait()
		if n := strings.Count(said.String(), "\n"); n != reportLines {
			t.Errorf("%d lines at once, want %d", n, reportLines)
		}
		time.Sleep(reportEvery)
		synctest.Wait()
		if !strings.HasSuffix(said.String(), "\nsluice: and 90 more attempts failed, 90 items dead\n") {
			t.Errorf("it says\n%s", said)
		}
		for i := range reportLines + 1 { // there is room again
			d.settled(endOf(fmt.Sprint("b", i), queue.Nack, 1))
		}
	})
	if want := "a9: attempt 1"; !strings.Contains(got, want) || strings.Contains(got, "a10: ") || !strings.Contains(got, "b9: attempt 1") {
		t.Errorf("it says\n%s", got)
	}
	if want := "\nsluice: and 1 more attempt failed, 1 item dead\n0 done, 111 dead, 111 attempts failed\n"; !strings.HasSuffix(got, want) {
		t.Errorf("it ends with\n%s", got[max(0, len(got)-200):])
	}
}
