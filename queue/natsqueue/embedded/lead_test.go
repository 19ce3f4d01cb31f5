package embedded

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/queue/natsqueue"
)

// A queue that is dropped between the list of queues and the look at each of
// them is not made again by the look.
func TestAQueueThatIsGoneIsNotMade(t *testing.T) {
	s, err := Start(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	c := &candidate{s: s, nc: nc, queues: map[string]*natsqueue.Driver{}}
	defer c.close()
	c.look(t.Context(), []string{"gone"})
	if names, err := natsqueue.Queues(t.Context(), js, ""); err != nil || len(names) > 0 {
		t.Errorf("there are queues %q, %v; want none", names, err)
	}
	if n := s.Leading(); n != 0 {
		t.Errorf("%d queues are led, want none", n)
	}
}
