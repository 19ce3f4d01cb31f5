package coordinator_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// gated is a line of shell that ends once the gate is open.
func (p *place) gated() string { return "while [ ! -e " + p.book + ".gate ]; do sleep 0.1; done" }

// open opens the gate for all items that wait at it, or will.
func (p *place) open() {
	p.Helper()
	if err := os.WriteFile(p.book+".gate", nil, 0o666); err != nil {
		p.Fatal(err)
	}
}

// drop deletes a WorkQueue, which ends its workers unless they are orphaned.
func (p *place) drop(name string, how metav1.DeletionPropagation) {
	p.Helper()
	p.dropped = true
	if err := objects.Resource(workQueues).Namespace(p.namespace).Delete(p.Context(), name, metav1.DeleteOptions{PropagationPolicy: &how}); err != nil {
		p.Fatal(err)
	}
}

// hasJobs waits until the place has so many.
func (p *place) hasJobs(n int) {
	p.Helper()
	until(p.T, soon, func(ctx context.Context) error {
		list, err := kube.Client().BatchV1().Jobs(p.namespace).List(ctx, metav1.ListOptions{})
		if err == nil && len(list.Items) != n {
			err = fmt.Errorf("%d Jobs, want %d", len(list.Items), n)
		}
		return err
	})
}

// What runs is finished, what waits is not begun, and the workers leave.
func TestASuspendedWorkQueueFinishesWhatItHas(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {maxParallelism: 2}\n  itemPolicy: {lease: 10m}", p.gated())
	p.enqueue("film", "a", 4)
	p.begun(2)
	p.patch("film", `{"spec":{"suspend":true}}`)
	p.condition("film", "Scaling", "True", "Paused", soon)
	p.open()
	p.workers(0, soon)
	if begun, ended := len(p.lines("begin")), len(p.lines("end")); begun != 2 || ended != 2 {
		t.Errorf("%d items began and %d ended, want the 2 that were at work", begun, ended)
	}
	p.patch("film", `{"spec":{"suspend":false}}`)
	p.ended(4, soon)
	p.once(4)
	p.workers(0, soon)
	p.undisturbed()
}

// Deleting a WorkQueue drains: a worker finishes its item within its grace period,
// or gives it back unharmed. Its items stay, for the next WorkQueue of that queue.
func TestADeletedWorkQueueDrains(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	const spec = "  scaling: {maxParallelism: 2}\n  itemPolicy: {lease: 10m}"
	p.queue("film", spec, `if [ $0 = a-1 ]; then sleep 2; else `+p.gated()+`; fi`)
	p.enqueue("film", "a", 2)
	p.begun(2)
	p.drop("film", metav1.DeletePropagationBackground)
	p.workers(0, soon)
	p.hasJobs(0)
	if ended := p.lines("end"); len(ended) != 1 || ended[0][0] != "a-1" {
		t.Errorf("%v ended, want a-1 alone, which had the time", ended)
	}
	left, err := p.items("film")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range left {
		done := i.State == "done" && i.Attempts == 1 && i.Releases == 0
		back := i.State != "done" && i.Attempts == 0 && i.Releases == 1
		if len(left) != 2 || len(i.Failures) > 0 || !done && !back {
			t.Errorf("the items are %+v, want one done and one given back", left)
		}
	}
	p.queue("film", spec, "true")
	p.ended(2, soon)
	p.workers(0, soon)
}

// Orphaned workers go on, with nobody who lets them go.
func TestADeletedWorkQueueLeavesOrphansAtWork(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {maxParallelism: 1}\n  itemPolicy: {lease: 10m}", p.gated())
	p.enqueue("film", "a", 1)
	p.begun(1)
	p.drop("film", metav1.DeletePropagationOrphan)
	p.open()
	p.ended(1, soon)
	p.enqueue("film", "b", 1)
	p.ended(2, soon)
	p.once(2)
	p.workers(1, soon)
	p.hasJobs(1)
	p.undisturbed()
}
