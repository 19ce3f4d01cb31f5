package natsqueue_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
	"sluice.dev/queue/queuetest"
)

// Eight writers do whatever can be done to a queue, at random, while its leader
// writes snapshots. When they stop, which they do 15 times, the leader leaves:
// the next one, who knows the log alone, tells the same of every item, batch and
// worker, and the depth is what they add up to.
func TestWriters(t *testing.T) {
	t.Parallel()
	const writers, stops, steps = 8, 15, 60
	url := natstest.Start(t).URL()
	client := func() *natsqueue.Driver {
		d, err := natsqueue.New(t.Context(), connect(t, url), natsqueue.Options{Queue: "q"})
		if err != nil {
			t.Fatal(err)
		}
		d.Hook(nil, 10<<10)
		return d
	}
	// Time changes nothing while the test looks.
	d := client()
	_, err := d.SetPolicy(t.Context(), queue.Policy{Lease: time.Hour, RetryDelay: time.Hour, RetryDelayMax: time.Hour,
		BackoffLimit: new(2), DisruptionLimit: new(2)}, true)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*queuetest.Writer, writers)
	for i := range all {
		all[i] = &queuetest.Writer{Rand: rand.New(rand.NewPCG(uint64(i), 7)), Worker: fmt.Sprint("w", i)}
	}
	var seen queue.Depth
	for stop := range stops {
		var wg sync.WaitGroup
		for _, w := range all {
			w.Driver = d
			wg.Go(func() {
				for range steps {
					if err := w.Step(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		before := look(t, d)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = client()
		after := look(t, d)
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("stop %d: the leader told of\n%+v\nand the next one of\n%+v", stop, before, after)
		}
		if counted := count(after); counted != after.depth {
			t.Fatalf("stop %d: depth is %+v, and there are %+v", stop, after.depth, counted)
		}
		for i, n := range []int64{after.depth.Blocked, after.depth.Delayed, after.depth.Ready, after.depth.Leased, after.depth.Done, after.depth.Dead, after.depth.Cancelled} {
			*[]*int64{&seen.Blocked, &seen.Delayed, &seen.Ready, &seen.Leased, &seen.Done, &seen.Dead, &seen.Cancelled}[i] += n
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if min(seen.Blocked, seen.Delayed, seen.Ready, seen.Leased, seen.Done, seen.Dead, seen.Cancelled) == 0 {
		t.Errorf("a state was never seen at a stop: %+v", seen)
	}
	t.Logf("%d steps of %d writers, %d stops; all that was seen at them: %+v", steps*stops*writers, writers, stops, seen)
}

// sight is all that a queue tells, without what time changes.
type sight struct {
	depth   queue.Depth
	records []queue.Record
	batches []queue.BatchInfo
	workers []queue.WorkerInfo
	policy  queue.Policy
}

func look(t *testing.T, d *natsqueue.Driver) (s sight) {
	t.Helper()
	var errs [5]error
	s.depth, errs[0] = d.Depth(t.Context())
	s.records, errs[1] = d.Items(t.Context(), queue.Query{States: queue.States})
	s.batches, errs[2] = d.Batches(t.Context())
	s.workers, errs[3] = d.Workers(t.Context())
	s.policy, errs[4] = d.SetPolicy(t.Context(), queue.Policy{}, false)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	s.depth.NextDue = 0
	for i := range s.records {
		s.records[i].Due = 0
	}
	for i := range s.batches {
		s.batches[i].Age = 0
	}
	for i := range s.workers {
		s.workers[i].Seen = 0
	}
	return s
}

func count(s sight) queue.Depth {
	d := queue.Depth{Paused: s.depth.Paused}
	suspended := map[string]bool{}
	for _, b := range s.batches {
		suspended[b.Name] = b.Suspended
	}
	for _, r := range s.records {
		*map[queue.State]*int64{queue.Blocked: &d.Blocked, queue.Delayed: &d.Delayed, queue.Ready: &d.Ready, queue.Leased: &d.Leased,
			queue.Done: &d.Done, queue.Dead: &d.Dead, queue.Cancelled: &d.Cancelled}[r.State]++
		if r.State == queue.Ready && (d.Paused || suspended[r.Item.Batch]) {
			d.Held++
		}
	}
	return d
}
