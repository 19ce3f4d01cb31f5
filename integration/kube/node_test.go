package kube_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/integration/kube/cluster"
	"sluice.dev/integration/kube/node"
)

// startNode starts a node of the test's own: only pods that select the label
// test=NAME and tolerate the taint of that name come to it.
func startNode(t *testing.T, name string, capacity map[corev1.ResourceName]string) *cluster.Node {
	t.Helper()
	n, err := kube.StartNode(t.Context(), node.Options{
		Name: name, Capacity: capacity, Labels: map[string]string{"test": name},
		Taints: []corev1.Taint{{Key: "test", Value: name, Effect: corev1.TaintEffectNoSchedule}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}

// sleeper is a pod for the node of that name, with more tolerations. It makes a
// file of its name when it is up, and leaves with 3 when it is told to end.
func sleeper(name, nodeName, tolerations string) string {
	return fmt.Sprintf(`{metadata: {name: %s}, spec: {nodeSelector: {test: %s}, restartPolicy: Never,
		tolerations: [{operator: Exists, effect: NoSchedule}%s],
		containers: [{name: main, image: any, resources: {requests: {cpu: 1}}, command: [sh, -c],
		args: ["trap 'echo told; exit 3' TERM; touch @DIR@/%[1]s; while :; do sleep 0.05; done"]}]}}`, name, nodeName, tolerations)
}

func TestAFullNodeTakesNoMore(t *testing.T) {
	t.Parallel()
	namespace, dir := kube.Namespace(t), t.TempDir()
	startNode(t, "full", map[corev1.ResourceName]string{corev1.ResourceCPU: "2"})
	one := createPod(t, namespace, dir, sleeper("one", "full", ""))
	two := createPod(t, namespace, dir, sleeper("two", "full", ""))
	awaitPhase(t, one, corev1.PodRunning)
	awaitPhase(t, two, corev1.PodRunning)
	three := awaitPod(t, createPod(t, namespace, dir, sleeper("three", "full", "")), "unschedulable", func(p *corev1.Pod) bool {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable {
				return strings.Contains(c.Message, "Insufficient cpu")
			}
		}
		return false
	})
	if err := kube.Client().CoreV1().Pods(namespace).Delete(t.Context(), one.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	awaitPhase(t, three, corev1.PodRunning)
}

func TestAPodIsToldToEndAndThenKilled(t *testing.T) {
	t.Parallel()
	namespace, dir := kube.Namespace(t), t.TempDir()
	pods := watchPods(t, namespace)
	for name, script := range map[string]string{
		"listens":  "trap 'exit 3' TERM; touch @DIR@/listens; while :; do sleep 0.05; done",
		"does-not": "trap '' TERM; setsid sleep 7000 & touch @DIR@/does-not; while :; do sleep 0.05; done",
	} {
		p := createPod(t, namespace, dir, fmt.Sprintf(`{metadata: {name: %s}, spec: {restartPolicy: Never, terminationGracePeriodSeconds: 1,
			containers: [{name: main, image: any, command: [sh, -c], args: [%q]}]}}`, name, script))
		awaitFile(t, dir, name)
		if err := kube.Client().CoreV1().Pods(namespace).Delete(t.Context(), p.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		awaitGone(t, p)
	}
	for name, want := range map[string]int32{"listens": 3, "does-not": 137} {
		kube.Until(t, soon, func(context.Context) error {
			for _, p := range pods.pods() {
				if s := p.Status.ContainerStatuses; p.Name == name && len(s) == 1 && s[0].State.Terminated != nil {
					if got := s[0].State.Terminated.ExitCode; got != want {
						t.Errorf("%s ended with %d, want %d", name, got, want)
					}
					return nil
				}
			}
			return fmt.Errorf("%s was not seen to end", name)
		})
	}
}

func TestAnEvictedPodSaysSo(t *testing.T) {
	t.Parallel()
	namespace, dir := kube.Namespace(t), t.TempDir()
	pods := watchPods(t, namespace)
	startNode(t, "evicting", nil)
	p := createPod(t, namespace, dir, sleeper("evicted", "evicting", ""))
	awaitFile(t, dir, "evicted")
	if err := kube.Client().PolicyV1().Evictions(namespace).Evict(t.Context(), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: namespace}}); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, p)
	last := pods.pods()[0]
	if last.Status.Phase != corev1.PodFailed || last.Status.ContainerStatuses[0].State.Terminated.ExitCode != 3 {
		t.Errorf("it ended as %+v", last.Status)
	}
	if !hasCondition(last, corev1.DisruptionTarget) {
		t.Errorf("it has no condition DisruptionTarget: %+v", last.Status.Conditions)
	}
	deleted := 0
	events, err := kube.Audit()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.ObjectRef != nil && e.ObjectRef.Namespace == namespace && e.ObjectRef.Subresource == "eviction" && e.User.Username == "admin" {
			deleted++
		}
	}
	if deleted != 1 {
		t.Errorf("the audit log has %d evictions by admin, want 1", deleted)
	}
}

func TestPodsDieWithTheirNode(t *testing.T) {
	t.Parallel()
	namespace, dir := kube.Namespace(t), t.TempDir()
	n := startNode(t, "dying", nil)
	p := createPod(t, namespace, dir, sleeper("lost", "dying", ""))
	awaitFile(t, dir, "lost")
	awaitPhase(t, p, corev1.PodRunning)
	n.Kill()
	kube.Until(t, time.Minute, func(context.Context) error { return noProcessOf(dir) })
	p = awaitPod(t, p, "evicted", func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if !hasCondition(p, corev1.DisruptionTarget) || p.Status.Phase != corev1.PodRunning {
		t.Errorf("nobody knows what became of it, and it is %+v", p.Status)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, p)
}

func TestPodsOutliveASilentNode(t *testing.T) {
	t.Parallel()
	namespace, dir := kube.Namespace(t), t.TempDir()
	n := startNode(t, "silent", nil)
	p := createPod(t, namespace, dir, sleeper("cut-off", "silent", ", {operator: Exists, effect: NoExecute}"))
	awaitFile(t, dir, "cut-off")
	awaitPhase(t, p, corev1.PodRunning)
	if err := n.Silence(); err != nil {
		t.Fatal(err)
	}
	ready := func(want corev1.ConditionStatus) func(*corev1.Pod) bool {
		return func(p *corev1.Pod) bool {
			for _, c := range p.Status.Conditions {
				if c.Type == corev1.PodReady {
					return c.Status == want
				}
			}
			return false
		}
	}
	awaitPod(t, p, "unready", ready(corev1.ConditionFalse))
	if err := n.Resume(); err != nil {
		t.Fatal(err)
	}
	p = awaitPod(t, p, "ready", ready(corev1.ConditionTrue))
	if p.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("its container was started again: %+v", p.Status)
	}
}

// noProcessOf is an error while a process has the folder in its command line.
func noProcessOf(dir string) error {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, name := range lines {
		if line, err := os.ReadFile(name); err == nil && bytes.Contains(line, []byte(dir)) {
			return fmt.Errorf("%s is %q", name, line)
		}
	}
	return nil
}

func hasCondition(p *corev1.Pod, kind corev1.PodConditionType) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == kind && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
