package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// resync is the most time between two looks of a coordinator.
const resync = 10 * time.Second

// Of ten workers with nothing to do seven leave, and none comes in their place.
func TestSevenOfTenIdleWorkersLeave(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {minParallelism: 10, maxParallelism: 10}", "true")
	p.workers(10, soon)
	p.patch("film", `{"spec":{"scaling":{"minParallelism":3}}}`)
	p.workers(3, soon)
	p.enqueue("film", "a", 3)
	p.ended(3, soon)
	p.holds(2*resync, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.made != 10 || p.live() != 3 {
			return fmt.Errorf("%d pods were made, and %d of them live, want 10 and 3", p.made, p.live())
		}
		return nil
	})
	p.once(3)
	p.undisturbed()
}

// A person deletes the pod of a busy worker. It is told to stop: its item is given
// back, which counts no attempt, and another worker does it.
func TestABusyWorkersPodIsDeleted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  itemPolicy: {lease: 10m}", `if [ "$(grep -c begin `+p.book+`)" = 1 ]; then sleep 600; fi`)
	p.enqueue("film", "a", 1)
	p.begun(1)
	pod := p.lines("begin")[0][1]
	if err := kube.Client().CoreV1().Pods(p.namespace).Delete(t.Context(), pod, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p.ended(1, soon)
	got := p.item("film", "done", func(i item) bool { return i.State == "done" })
	if got.Attempts != 1 || got.Releases != 1 {
		t.Errorf("the item is %+v, want it done at the first attempt, after one release", got)
	}
	if p.lines("end")[0][1] == pod {
		t.Error("it ended in the pod that was deleted")
	}
	p.workers(0, soon)
}

// One node is drained, another dies: what ran there is done elsewhere. Who is lost
// with a node is not waited for, though nobody says that it has ended.
func TestANodeIsDrainedAndAnotherDies(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.resident("drained", "farm", "farm") // no other test's pods tolerate the taint
	dying := p.resident("dying", "farm", "farm")
	p.resident("staying", "farm", "farm")
	p.queue("film", "  scaling: {maxParallelism: 6}\n  itemPolicy: {lease: 5s, retryDelay: 100ms}", "sleep 1")
	p.patch("film", `{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"nodeSelector":{"pool":"farm"},"tolerations":[{"key":"farm","operator":"Exists"}]}}}}}}`)
	p.coordinate()
	p.enqueue("film", "a", 80)
	p.begun(10)
	p.drain("drained")
	if all, err := p.items("film"); err != nil || slices.ContainsFunc(all, func(i item) bool { return len(i.Failures) > 0 }) {
		t.Errorf("a drain fails no item, and they are %+v, %v", all, err)
	}
	p.begun(40)
	dying.Kill()
	until(t, soon, func(ctx context.Context) error { // pods are bound to it until somebody knows
		node, err := kube.Client().CoreV1().Nodes().Get(ctx, "dying", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		}) {
			return errors.New("the dead node is Ready still")
		}
		return nil
	})
	lost := p.podsOn("dying")
	p.ended(80, soon)
	until(t, soon, func(ctx context.Context) error { // whether or not pods are left of those who are lost
		w, err := p.workQueue(ctx, "film")
		if err == nil && w.Status.Workers.Live != 0 {
			err = fmt.Errorf("%+v", w.Status.Workers)
		}
		return err
	})
	p.enqueue("film", "b", 1)
	p.ended(81, soon)

	ended := make(map[string][]string)
	for _, l := range p.lines("end") {
		ended[l[0]] = append(ended[l[0]], l[1])
	}
	for item, pods := range ended {
		if len(pods) > 1 && !slices.ContainsFunc(pods, func(pod string) bool { return slices.Contains(lost, pod) }) {
			t.Errorf("item %s was done by %v", item, pods)
		}
	}
	if len(ended) != 81 || len(lost) == 0 {
		t.Errorf("%d items ended, want 81; %d workers were lost", len(ended), len(lost))
	}
	t.Logf("%d workers were lost with their node, %d items began twice", len(lost), len(p.lines("begin"))-81)
	p.atMost(6 + len(lost)) // who count as there still
}

// podsOn are the pods of a node that have not ended.
func (p *place) podsOn(node string) (names []string) {
	p.Helper()
	pods, err := kube.Client().CoreV1().Pods(p.namespace).List(p.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		p.Fatal(err)
	}
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodPending || pod.Status.Phase == corev1.PodRunning {
			names = append(names, pod.Name)
		}
	}
	return names
}

// drain has a node take no more pods and evicts those of the place, as "kubectl
// drain" does.
func (p *place) drain(node string) {
	p.Helper()
	_, err := kube.Client().CoreV1().Nodes().Patch(p.Context(), node, types.MergePatchType, []byte(`{"spec":{"unschedulable":true}}`), metav1.PatchOptions{})
	if err != nil {
		p.Fatal(err)
	}
	until(p.T, soon, func(ctx context.Context) error {
		left := p.podsOn(node)
		for _, name := range left {
			err := kube.Client().CoreV1().Pods(p.namespace).EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name}})
			if err != nil && !apierrors.IsNotFound(err) {
				return err
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("node %s has %v", node, left)
		}
		return nil
	})
}
