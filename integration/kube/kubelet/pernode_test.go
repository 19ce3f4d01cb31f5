//go:build kubelet

package kubelet_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sluice.dev/manifests/workload"
)

// The kubelet starts the container again at once, in the same pod: its status says
// which worker the kernel has ended, and the next one need not wait for the lease.
func TestAWorkerOfANodeThatIsKilledForItsMemory(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.queue("film", "  mode: PerNode\n  itemPolicy: {lease: 10m, backoffLimit: 0}\n", bounded)
	own := p.nodeQueue("film")
	p.enqueue(own, "hog-first", "fine-1", "fine-2")
	p.died(p.settled(own, 3, 0), "hog-first", "OOMKilled", "the limit of container work is 96Mi")
	p.condition("film", "Disturbed", "True", "OOMKilled", "workers that ended: 1 OOMKilled; the last, pod film-")
	p.enqueue("film", "hog-first") // which all nodes share
	p.died(p.settled("film", 1, 0), "hog-first", "OOMKilled", "the limit of container work is 96Mi")
	p.condition("film", "Disturbed", "True", "OOMKilled", "workers that ended: 2 OOMKilled; the last, pod film-")
	p.enqueue("film", "fine-1")
	if dead := p.settled("film", 2, 0); len(dead) != 1 {
		t.Errorf("dead are %+v", dead)
	}
	pods := p.pods("film")
	if len(pods) != 1 || pods[0].Status.ContainerStatuses[0].RestartCount != 2 {
		t.Errorf("pods %+v, want one that was started again twice", pods)
	}
}

// nodeQueue waits for the queue of the node.
func (p *place) nodeQueue(of string) (name string) {
	p.Helper()
	kube.Until(p.T, soon, func(context.Context) error {
		out, err := p.sluice("get", "queues", "-o", "name").Output()
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(out)) {
			name = strings.TrimPrefix(strings.TrimSpace(line), "queue/")
			if _, ok := workload.NodeOf(of, name); ok {
				return nil
			}
		}
		return errors.New("no node has a queue yet")
	})
	return name
}
