//go:build natscluster

package natscluster

import (
	"testing"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
	"sluice.dev/queue/queuetest"
)

// Every sentence of the suite on streams of three replicas. Each node in turn is
// killed, is missing for some sentences, and comes back.
func TestConformance(t *testing.T) {
	c := natstest.StartCluster(t)
	url := c.URL() + "?replicas=3"
	events := map[int]func(testing.TB){}
	for i, n := range c.Nodes {
		events[40+i*50] = func(testing.TB) { n.Kill() }
		events[60+i*50] = func(t testing.TB) { n.Restart(t) }
	}
	known := map[string]bool{} // queues: one a sentence
	queuetest.Run(t, queuetest.Harness{Open: func(t testing.TB, name string) queue.Driver {
		if !known[name] {
			if event := events[len(known)]; event != nil {
				event(t)
			}
			known[name] = true
		}
		d, err := natsqueue.Open(t.Context(), url, name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}})
	t.Logf("%d leaf tests on three nodes, each of which was dead for 20 of them", len(known))
	if len(known) != queuetest.Count() || len(known) < 160 {
		t.Errorf("the suite has %d sentences, and at least 160 are needed", queuetest.Count())
	}
}
