package coordinator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// item is what "sluice get items" tells of one.
type item struct {
	State    string
	Attempts int
	Releases int
	Failures []struct{ Cause, Message string }
}

// items are all items of a queue.
func (p *place) items(queue string) (all []item, err error) {
	cmd := exec.CommandContext(p.Context(), program, "get", "items", "-q", queue, "--state", "delayed,ready,leased,done,dead", "-o", "json")
	cmd.Env = append(os.Environ(), "SLUICE_STORE="+p.url)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("get items: %w: %s", err, out)
	}
	return all, json.Unmarshal(out, &all)
}

// item waits until the only item of a queue is as it should be.
func (p *place) item(queue, what string, right func(item) bool) item {
	p.Helper()
	var last item
	until(p.T, soon, func(context.Context) error {
		all, err := p.items(queue)
		if err != nil || len(all) != 1 {
			return fmt.Errorf("%d items, %w", len(all), err)
		}
		if last = all[0]; !right(last) {
			return fmt.Errorf("the item is %+v, want it %s", last, what)
		}
		return nil
	})
	return last
}

// kubelet is a node that is this test: it says of its pods what the test wants.
type kubelet struct {
	*place
	name string
	api  *kubernetes.Clientset
}

func (p *place) kubelet(name string) *kubelet {
	p.Helper()
	ready := []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now()}}
	room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("100")}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"test": name}}}
	nodes := kube.Client().CoreV1().Nodes()
	if _, err := nodes.Create(p.Context(), node, metav1.CreateOptions{}); err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = nodes.Delete(context.Background(), name, metav1.DeleteOptions{}) })
	cfg, err := kube.User("system:node:"+name, "system:nodes")
	if err != nil {
		p.Fatal(err)
	}
	k := &kubelet{place: p, name: name, api: kubernetes.NewForConfigOrDie(cfg)}
	until(p.T, soon, func(ctx context.Context) error {
		n, err := nodes.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		n.Status.Conditions, n.Status.Capacity, n.Status.Allocatable = ready, room, room
		_, err = nodes.UpdateStatus(ctx, n, metav1.UpdateOptions{})
		return err
	})
	return k
}

// only has the workers of a queue come to this node.
func (k *kubelet) only(queue string) {
	k.patch(queue, `{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"nodeSelector":{"test":"`+k.name+`"}}}}}}}`)
}

// pod waits for a pod of a queue.
func (k *kubelet) pod(queue string) (pod *corev1.Pod) {
	k.Helper()
	until(k.T, soon, func(ctx context.Context) error {
		list, err := kube.Client().CoreV1().Pods(k.namespace).List(ctx, metav1.ListOptions{
			LabelSelector: "sluice.dev/workqueue=" + queue, FieldSelector: "spec.nodeName=" + k.name})
		if err != nil || len(list.Items) == 0 {
			return fmt.Errorf("%d pods of %s on node %s: %w", len(list.Items), queue, k.name, err)
		}
		pod = &list.Items[0]
		return nil
	})
	return pod
}

// say writes a pod's status.
func (k *kubelet) say(pod *corev1.Pod, change func(*corev1.PodStatus)) {
	k.Helper()
	until(k.T, soon, func(ctx context.Context) error {
		p, err := k.api.CoreV1().Pods(k.namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(&p.Status)
		_, err = k.api.CoreV1().Pods(k.namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{})
		return err
	})
}

// A node says how a worker was killed that has an item, whose lease would last
// for long. It does not run beside the others: their pods would find this node
// too, which runs none.
func TestTheCauseOfAWorkersDeathIsTheItems(t *testing.T) {
	p := newPlace(t)
	p.coordinate()
	k := p.kubelet("told-" + p.namespace)
	for _, tt := range []struct {
		queue, reason, message string // of the pod
		container              string // reason
		disrupted              bool
		cause, condition       string
	}{
		{"memory", "", "", "OOMKilled", false, "OOMKilled", "OOMKilled"},
		{"disk", "Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.", "Error", false, "ResourceExceeded", "ResourceExceeded"},
		{"node", "Evicted", "The node was low on resource: memory.", "Error", true, "", "NodePressure"},
	} {
		p.queue(tt.queue, "  itemPolicy: {lease: 10m, backoffLimit: 0}", "true")
		k.only(tt.queue)
		p.enqueue(tt.queue, tt.queue, 1)
		pod := k.pod(tt.queue)
		state := func(s corev1.ContainerState) []corev1.ContainerStatus {
			return []corev1.ContainerStatus{{Name: "work", Image: "any", State: s}}
		}
		k.say(pod, func(s *corev1.PodStatus) {
			s.Phase = corev1.PodRunning
			s.ContainerStatuses = state(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}})
		})
		worker := exec.Command(program, "work", tt.queue, "--", "sh", "-c", "echo begin $0 here >> "+p.book+"; exec sleep 600", "{}")
		worker.Env = append(os.Environ(), "SLUICE_STORE="+p.url, "SLUICE_WORKER_ID="+pod.Name+"."+string(pod.UID))
		process := start(t, worker)
		p.item(tt.queue, "leased", func(i item) bool { return i.State == "leased" })
		process.kill()
		k.say(pod, func(s *corev1.PodStatus) {
			s.Phase, s.Reason, s.Message = corev1.PodFailed, tt.reason, tt.message
			if tt.disrupted {
				s.Conditions = append(s.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "TerminationByKubelet", Message: tt.message})
			}
			s.ContainerStatuses = state(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: tt.container, FinishedAt: metav1.Now()}})
		})
		p.condition(tt.queue, "Disturbed", "True", tt.condition, soon)
		if tt.disrupted { // none of its doing, so that it has its one attempt still
			got := p.item(tt.queue, "given back", func(i item) bool { return i.State != "leased" })
			if got.State == "dead" || got.Attempts != 0 || got.Releases != 1 {
				t.Errorf("%s: the item is %+v, want it given back once without an attempt", tt.queue, got)
			}
			continue
		}
		got := p.item(tt.queue, "dead", func(i item) bool { return i.State == "dead" })
		if f := got.Failures; got.Attempts != 1 || len(f) != 1 || f[0].Cause != tt.cause || !strings.Contains(f[0].Message, pod.Name) || !strings.Contains(f[0].Message, tt.message) {
			t.Errorf("%s: the item is %+v, want dead of %s", tt.queue, got, tt.cause)
		}
	}
}

// A drain ends a worker through the API: its item is given back, which counts no
// attempt, and another does it.
func TestAnEvictedWorkerGivesItsItemBack(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  itemPolicy: {lease: 10m}", `if [ "$(grep -c begin `+p.book+`)" = 1 ]; then sleep 600; fi`)
	p.enqueue("film", "a", 1)
	until(t, soon, func(context.Context) error {
		if len(p.lines("begin")) == 0 {
			return errors.New("nothing has begun")
		}
		return nil
	})
	pod := p.lines("begin")[0][1]
	err := kube.Client().CoreV1().Pods(p.namespace).EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: pod}})
	if err != nil {
		t.Fatal(err)
	}
	p.condition("film", "Disturbed", "True", "Evicted", soon)
	p.ended(1, soon)
	got := p.item("film", "done", func(i item) bool { return i.State == "done" })
	if got.Attempts != 1 || got.Releases != 1 || len(got.Failures) > 1 {
		t.Errorf("the item is %+v, want it done after one release", got)
	}
	if p.lines("end")[0][1] == pod {
		t.Errorf("it ended in the pod that was evicted")
	}
}

func TestWhatWorkersLackIsToldAndMended(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	quotas := kube.Client().CoreV1().ResourceQuotas(p.namespace)
	none := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/pods": resource.MustParse("0")}}}
	if _, err := quotas.Create(t.Context(), none, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, soon, func(ctx context.Context) error { // it holds once it is counted
		q, err := quotas.Get(ctx, "none", metav1.GetOptions{})
		if err == nil && len(q.Status.Hard) == 0 {
			err = errors.New("the quota is not in force")
		}
		return err
	})
	p.queue("film", "", "true")
	p.enqueue("film", "a", 1)
	p.condition("film", "Scaling", "False", "QuotaExceeded", soon)
	if err := quotas.Delete(t.Context(), "none", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p.ended(1, soon)
	p.condition("film", "Scaling", "True", "Enough", soon)

	template := func(change string) {
		p.patch("film", `{"spec":{"jobTemplate":{"spec":{"template":{"spec":`+change+`}}}}}`)
	}
	p.workers(0, soon)
	template(`{"nodeSelector":{"nobody":"has"}}`)
	p.enqueue("film", "b", 1)
	p.condition("film", "Scaling", "False", "Unschedulable", soon)
	template(`{"nodeSelector":null}`)
	p.ended(2, soon)
	p.condition("film", "Scaling", "True", "Enough", soon)
}
