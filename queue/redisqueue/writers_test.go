package redisqueue_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
	"sluice.dev/queue/queuetest"
)

// stepsVariable asks TestWriters for more steps than it takes by itself.
const stepsVariable = "SLUICE_TEST_STEPS"

// Eight writers do whatever can be done to a queue, at random. When they stop,
// which they do 200 times, the depth is what a scan of the store finds, for
// the queue and for each batch.
func TestWriters(t *testing.T) {
	t.Parallel()
	const writers, stops = 8, 200
	steps := stepsOf(t, 40_000)
	server := redistest.Start(t)
	d := open(t, server.URL(), "q")
	// Everything passes while the test looks: leases, delays, the retention.
	_, err := d.SetPolicy(t.Context(), queue.Policy{Lease: 200 * time.Millisecond, RetryDelay: 5 * time.Millisecond,
		RetryDelayMax: 20 * time.Millisecond, BackoffLimit: new(2), DisruptionLimit: new(4), Retention: 400 * time.Millisecond}, true)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*queuetest.Writer, writers)
	for i := range all {
		all[i] = &queuetest.Writer{Driver: open(t, server.URL(), "q"), Rand: rand.New(rand.NewPCG(uint64(i), 7)), Worker: fmt.Sprint("w", i), Passing: true}
	}
	var seen queue.Depth
	for stop := range stops {
		var wg sync.WaitGroup
		for _, w := range all {
			wg.Go(func() {
				for range steps / stops / writers {
					if err := w.Step(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if add(&seen, checkDepth(t, d, server.Addr)); t.Failed() {
			t.Fatalf("at stop %d", stop)
		}
	}
	if min(seen.Blocked, seen.Delayed, seen.Ready, seen.Leased, seen.Done, seen.Dead, seen.Cancelled, seen.Held) == 0 {
		t.Errorf("a state was never seen at a stop: %+v", seen)
	}
	t.Logf("%d steps of %d writers, %d stops; all that was seen at them: %+v", steps, writers, stops, counts(seen))
}

// stepsOf is how many steps to take: n, or what the environment says.
func stepsOf(t *testing.T, n int) int {
	t.Helper()
	v, ok := os.LookupEnv(stepsVariable)
	if !ok {
		return n
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1600 {
		t.Fatalf("%s is %q: a number of at least 1600 is allowed", stepsVariable, v)
	}
	return n
}
