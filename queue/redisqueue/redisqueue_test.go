package redisqueue_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
	"sluice.dev/queue/queuetest"
	"sluice.dev/queue/redisqueue"
	"sluice.dev/queue/redisqueue/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness is the suite's way to queues on one server.
func harness(url string) queuetest.Harness {
	return queuetest.Harness{Open: func(t testing.TB, name string) queue.Driver {
		d, err := redisqueue.Open(t.Context(), redisqueue.Options{URL: url, Queue: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		return d
	}}
}

func embeddedStore(t testing.TB) string {
	s, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.URL()
}

func TestConformanceEmbedded(t *testing.T) { queuetest.Run(t, harness(embeddedStore(t))) }

func TestAWorkerAtALongItemIsListed(t *testing.T) {
	store, now := miniredis.RunT(t), time.Now()
	store.SetTime(now)
	queuetest.LongItems(t, open(t, "redis://"+store.Addr(), "q"), func(d time.Duration) { store.SetTime(now.Add(d)) })
}

func TestConformanceRedis(t *testing.T) {
	for _, aof := range []string{"no", "yes"} {
		t.Run("appendonly "+aof, func(t *testing.T) {
			t.Parallel()
			queuetest.Run(t, harness(redistest.Start(t, "--appendonly", aof).URL()))
		})
	}
}

// TestMutants shows that the suite sees a broken rule on this store too: some
// of the mutants, since each of them takes as long as the suite does until it
// is found out. Package queuetest tries them all on its reference driver.
func TestMutants(t *testing.T) {
	h, tried := harness(embeddedStore(t)), 0
	for _, m := range queuetest.Mutants() {
		switch m.Name {
		case "takes a stale ack for the holder's", "counts one too many", "settles again for a number that is sent again", "retries at once":
			tried++
			t.Run(m.Name, func(t *testing.T) { queuetest.MustFail(t, h, m) })
		}
	}
	if tried != 4 {
		t.Errorf("%d mutants were tried, want 4: their names have changed", tried)
	}
}
