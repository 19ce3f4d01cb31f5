package natstest_test

import (
	"context"
	"crypto/rand"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/internal/natstest"
)

func TestMain(m *testing.M) {
	if natstest.Main() {
		return
	}
	os.Exit(m.Run())
}

func connect(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// put publishes one message, however often it must try, and returns its
// sequence.
func put(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	id := jetstream.WithMsgID(rand.Text())
	for range 60 {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		ack, err := js.Publish(ctx, "s.a", nil, id)
		if err == nil {
			cancel()
			return ack.Sequence
		}
		<-ctx.Done() // an error at once, such as no stream leader, ends by itself
		cancel()
	}
	t.Fatal("no acknowledgement in 30 s")
	return 0
}

func TestAServerKeepsItsStreamsThroughARestart(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *natstest.Server{"inside": natstest.Start, "outside": natstest.Launch} {
		t.Run(name, func(t *testing.T) {
			s := start(t, "jetstream { store_dir: $DIR, sync_interval: always }")
			js := connect(t, s.URL())
			if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "s", Subjects: []string{"s.>"}}); err != nil {
				t.Fatal(err)
			}
			put(t, js)
			s.Restart(t)
			if at := put(t, js); at != 2 {
				t.Errorf("sequence %d after a restart, want 2", at)
			}
		})
	}
}

func TestAClusterOutlivesTheKillingOfANode(t *testing.T) {
	c := natstest.StartCluster(t)
	js := connect(t, c.URL())
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "s", Subjects: []string{"s.>"}, Replicas: 3}); err != nil {
		t.Fatal(err)
	}
	put(t, js)
	c.Nodes[0].Kill()
	if at := put(t, js); at != 2 {
		t.Errorf("sequence %d while a node is down, want 2", at)
	}
	c.Nodes[0].Restart(t)
	if at := put(t, js); at != 3 {
		t.Errorf("sequence %d after it came back, want 3", at)
	}
}
