package coordinator_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mortal is a WorkQueue with a worker on each node of a pool, which dies of an
// item's first attempt while its lease would last for long.
var mortal = strings.NewReplacer(
	"mode: PerNode", "mode: PerNode\n  itemPolicy: {lease: 10m, retryDelay: 100ms}",
	"pool: residents", "pool: mortals",
	"; echo \"end", "; if [ \"$(grep -c \"begin $0 \" BOOK)\" = 1 ]; then kill -9 $PPID; exec sleep 600; fi; echo \"end",
).Replace(caches)

// The worker is started again in the same pod, so that nobody but the coordinator
// can tell it from the one that is dead. Like the test of copies, it does not run
// beside others.
func TestTheLeasesOfAWorkerThatIsStartedAgainEndWithIt(t *testing.T) {
	p := newPlace(t)
	p.resident("epsilon", "mortals")
	p.coordinate()
	p.make(strings.ReplaceAll(mortal, "BOOK", p.book))
	p.residents("epsilon")

	p.eachNode(0, "on node epsilon", "own", 1)
	p.sluice(0, "node epsilon: batch/own: Complete", "", "wait", "batch", "own", "-q", "caches", "--each-node", "--timeout", soon.String())
	p.restarted(1)
	p.enqueue("caches", "shared", 1)
	p.ended(2, soon)
	p.restarted(2)
	for _, queue := range []string{"caches.node.epsilon", "caches"} {
		if got := p.item(queue, "done", func(i item) bool { return i.State == "done" }); got.Attempts != 2 || got.Releases != 0 {
			t.Errorf("queue %s: the item is %+v, want it done at its second attempt", queue, got)
		}
	}
	w, err := p.workQueue(t.Context(), "caches")
	if err != nil {
		t.Fatal(err)
	}
	expired := 0
	for _, d := range w.Status.Decisions {
		if strings.HasPrefix(d.Did, "expired 1 leases of caches-") && strings.HasPrefix(d.Rule, "LeaseExpired: its worker, pod caches-") && strings.HasSuffix(d.Rule, "exit code 137") {
			expired++
		}
	}
	if expired != 2 {
		t.Errorf("decisions %+v, want that leases of each worker that was killed were expired for its end", w.Status.Decisions)
	}
	p.condition("caches", "Disturbed", "True", "Failed", soon)
	p.conditionSays("caches", "Disturbed", "workers that ended: 2 Failed; the last, pod caches-")
}

// restarted waits until the only pod of the WorkQueue has a container that runs
// and was started again so often.
func (p *place) restarted(n int32) {
	p.Helper()
	until(p.T, soon, func(ctx context.Context) error {
		pods, err := kube.Client().CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: "sluice.dev/workqueue=caches"})
		if err != nil || len(pods.Items) != 1 {
			return fmt.Errorf("%d pods: %w", len(pods.Items), err)
		}
		if s := pods.Items[0].Status.ContainerStatuses[0]; s.RestartCount != n || s.State.Running == nil {
			return fmt.Errorf("container %+v, want it to run after %d restarts", s, n)
		}
		return nil
	})
}
