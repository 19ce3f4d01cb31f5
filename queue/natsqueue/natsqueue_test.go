package natsqueue_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
	"sluice.dev/queue/queuetest"
)

// connect is a connection that ends with the test, after what was made of it.
func connect(t testing.TB, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func open(t testing.TB, url string, o natsqueue.Options) *natsqueue.Driver {
	t.Helper()
	d, err := natsqueue.New(t.Context(), connect(t, url), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// harness is the suite's way to queues on one server.
func harness(url string) queuetest.Harness {
	return queuetest.Harness{Open: func(t testing.TB, name string) queue.Driver {
		return open(t, url, natsqueue.Options{Queue: name})
	}}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...string) *natstest.Server{
		"inside":  natstest.Start,
		"process": natstest.Launch,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queuetest.Run(t, harness(start(t).URL()))
		})
	}
}

// TestMutants shows that the suite sees a broken rule on this store too: some
// of the mutants. Package machine tries them all.
func TestMutants(t *testing.T) {
	t.Parallel()
	h, tried := harness(natstest.Start(t).URL()), 0
	for _, m := range queuetest.Mutants() {
		switch m.Name {
		case "takes a stale ack for the holder's", "counts one too many", "settles again for a number that is sent again", "retries at once":
			tried++
			t.Run(m.Name, func(t *testing.T) {
				t.Parallel()
				queuetest.MustFail(t, h, m)
			})
		}
	}
	if tried != 4 {
		t.Errorf("%d mutants were tried, want 4: their names have changed", tried)
	}
}
