package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"sluice.dev/integration/kube/cluster"
	"sluice.dev/integration/kube/node"
)

// caches is a WorkQueue with a worker on each node of a pool, whose items write
// down the node that does them.
const caches = `
apiVersion: sluice.dev/v1alpha1
kind: WorkQueue
metadata: {name: caches}
spec:
  mode: PerNode
  jobTemplate:
    spec:
      template:
        spec:
          terminationGracePeriodSeconds: 5
          nodeSelector: {pool: residents}
          tolerations: [{key: gpu, operator: Exists}]
          containers:
          - name: work
            image: any
            command: [sh, -c, 'echo "begin $0 $NODE" >> BOOK; echo "end $0 $NODE" >> BOOK', "{}"]
            env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
            resources: {limits: {cpu: 500m, memory: 128Mi}, requests: {cpu: 10m, memory: 16Mi}}
`

// It does not run beside the others: their pods would find its nodes too, and
// lose them.
func TestEveryNodeDoesItsOwnCopyOnce(t *testing.T) {
	p := newPlace(t)
	p.resident("alpha", "residents")
	lost := p.resident("beta", "residents", "gpu")
	p.resident("gamma", "residents", "storage") // its taint is not tolerated
	p.resident("delta", "others")
	p.coordinate()
	p.make(strings.ReplaceAll(caches, "BOOK", p.book))
	p.residents("alpha", "beta")

	p.eachNode(0, "5 lines, 5 items, on each of 2 nodes: alpha, beta", "", 5)
	p.ended(10, soon)
	p.eachNode(0, "5 lines, 0 items, 5 duplicates, on each of 2 nodes: alpha, beta", "", 5)
	p.enqueue("caches", "shared", 6)
	p.ended(16, soon)
	did := make(map[string]int)
	for _, l := range p.lines("begin") {
		if strings.HasPrefix(l[0], "shared") {
			l[1] = "any"
		}
		did[l[0]+" "+l[1]]++
	}
	for i := 1; i <= 5; i++ {
		for _, on := range []string{"alpha", "beta"} {
			if n := did[fmt.Sprintf("copy-%d %s", i, on)]; n != 1 {
				t.Errorf("copy-%d was done %d times by %s, want 1", i, n, on)
			}
		}
		if n := did[fmt.Sprintf("shared-%d any", i)]; n != 1 {
			t.Errorf("shared-%d was done %d times, want 1", i, n)
		}
	}
	if len(did) != 16 {
		t.Errorf("%v was done", did)
	}

	// Copies wait for a node as long as it is there; held here, so that they are
	// surely left when it goes.
	p.sluice(0, "paused", "", "pause", "caches.node.beta")
	p.eachNode(0, "7 lines, 2 items, 5 duplicates, on each of 2 nodes: alpha, beta", "later", 7)
	p.ended(18, soon)
	p.sluice(4, "timed out after 1s on 1 of 2 nodes: beta", "", "wait", "batch", "later", "-q", "caches", "--each-node", "--timeout", "1s")
	if err := lost.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.sluice(1, "node beta: batch/later: Cancelled", "", "wait", "batch", "later", "-q", "caches", "--each-node", "--timeout", soon.String())
	p.sluice(1, "node alpha: batch/later: Complete", "", "wait", "batch", "later", "-q", "caches", "--each-node")
	p.condition("caches", "Nodes", "False", "NodeGone", soon)
	p.event("NodeGone", "node beta is gone: 2 items that it had not done are cancelled")
	p.eachNode(0, "on node alpha", "", 8)

	// Another machine of that name begins where it stands.
	p.resident("beta", "residents", "gpu")
	p.residents("alpha", "beta")
	p.condition("caches", "Nodes", "True", "Present", soon)
	p.eachNode(0, "9 lines, 2 items, 7 duplicates, on each of 2 nodes: alpha, beta", "", 9)
	p.ended(22, soon)
}

func TestWhatModePerNodeIsNotFor(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.queue("film", "", "true")
	p.coordinate()
	p.condition("film", "Accepted", "True", "Valid", soon)
	p.sluice(2, `queue "film" has no queue of a node`, "a\n", "enqueue", "film", "--each-node")
	for _, change := range []string{
		`{"spec":{"mode":"PerNode"}}`, // it has Jobs already
		`{"spec":{"mode":"Everywhere"}}`,
	} {
		_, err := objects.Resource(workQueues).Namespace(p.namespace).Patch(t.Context(), "film", "application/merge-patch+json", []byte(change), metav1.PatchOptions{})
		if err == nil {
			t.Errorf("%s was accepted", change)
		} else {
			t.Log(err)
		}
	}
	if err := p.try(strings.Replace(caches, "mode: PerNode", "mode: PerNode\n  scaling: {maxParallelism: 3}", 1)); err == nil {
		t.Error("mode PerNode was accepted with scaling")
	} else {
		t.Log(err)
	}
}

// resident adds a node of a pool, and removes it after the test.
func (p *place) resident(name, pool string, taints ...string) *cluster.Node {
	p.Helper()
	o := node.Options{Name: name, Labels: map[string]string{"pool": pool}, Images: map[string]string{image: program}}
	for _, key := range taints {
		o.Taints = append(o.Taints, corev1.Taint{Key: key, Value: "x", Effect: corev1.TaintEffectNoSchedule})
	}
	n, err := kube.StartNode(p.Context(), o)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() {
		if err := n.Remove(context.Background()); err != nil {
			p.Error(err)
		}
	})
	return n
}

// try makes a WorkQueue, if the API server has it.
func (p *place) try(text string) error {
	p.Helper()
	w := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), w); err != nil {
		p.Fatal(err)
	}
	_, err := objects.Resource(workQueues).Namespace(p.namespace).Create(p.Context(), w, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	return err
}

func (p *place) make(text string) {
	p.Helper()
	if err := p.try(text); err != nil {
		p.Fatal(err)
	}
}

// residents waits until these nodes have a worker, as the template has it, and
// no others do, and each has its queue.
func (p *place) residents(nodes ...string) {
	p.Helper()
	until(p.T, soon, func(ctx context.Context) error {
		pods, err := kube.Client().CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: "sluice.dev/workqueue=caches"})
		if err != nil {
			return err
		}
		var on []string
		for _, pod := range pods.Items {
			if pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil {
				return fmt.Errorf("pod %s on %q is %s", pod.Name, pod.Spec.NodeName, pod.Status.Phase)
			}
			on = append(on, pod.Spec.NodeName)
			limits := pod.Spec.Containers[0].Resources.Limits
			if limits.Cpu().String() != "500m" || limits.Memory().String() != "128Mi" || pod.Spec.RestartPolicy != corev1.RestartPolicyAlways ||
				!slices.ContainsFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool { return t.Key == "gpu" }) || pod.OwnerReferences[0].Kind != "DaemonSet" {
				return fmt.Errorf("pod %s is not as the template says: %+v", pod.Name, pod.Spec)
			}
		}
		if slices.Sort(on); !slices.Equal(on, nodes) {
			return fmt.Errorf("workers on %v, want %v", on, nodes)
		}
		w, err := objects.Resource(workQueues).Namespace(p.namespace).Get(ctx, "caches", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if running, _, _ := unstructured.NestedInt64(w.Object, "status", "workers", "running"); int(running) != len(nodes) {
			return fmt.Errorf("status: %d workers run, want %d: %v", running, len(nodes), w.Object["status"])
		}
		return nil
	})
}

// eachNode gives every node the items copy-1 to copy-n.
func (p *place) eachNode(code int, want, batch string, n int) {
	p.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "copy-%d\n", i+1)
	}
	args := []string{"enqueue", "caches", "--each-node"}
	if batch != "" {
		args = append(args, "--batch", batch)
	}
	p.sluice(code, want, lines.String(), args...)
}

// sluice runs a verb, and checks its exit code and something that it prints.
func (p *place) sluice(code int, want, stdin string, args ...string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), soon+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "SLUICE_STORE="+p.url)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		p.Fatal(err)
	}
	if got != code || !strings.Contains(string(out), want) {
		p.Fatalf("sluice %s: exit code %d, want %d; it says %s, want %q in it", strings.Join(args, " "), got, code, out, want)
	}
}

// event waits for an event.
func (p *place) event(reason, note string) {
	p.Helper()
	until(p.T, soon, func(ctx context.Context) error {
		list, err := kube.Client().EventsV1().Events(p.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		var seen []string
		for _, e := range list.Items {
			if e.Reason == reason && e.Note == note {
				return nil
			}
			seen = append(seen, e.Reason+": "+e.Note)
		}
		return fmt.Errorf("events %q", seen)
	})
}
