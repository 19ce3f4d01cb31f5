//go:build kubelet

package kubelet_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
)

// gated is a pod whose items wait until the test opens the gate.
const gated = `{terminationGracePeriodSeconds: 12, containers: [{name: work, image: foreign:1, command: [/foreign, gate, /place, "{}"],
  volumeMounts: [{name: place, mountPath: /place}]}], volumes: [{name: place, hostPath: {path: FOLDER}}]}`

// The worker is process 1 of its container, to which no signal means anything
// that it has not asked for.
func TestADeletedPodGivesItsItemBack(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.queue("film", "  itemPolicy: {lease: 10m}\n", gated)
	p.enqueue("film", "a")
	p.begun(1)
	first := p.pods("film")[0].Name
	if err := kube.Client().CoreV1().Pods(p.namespace).Delete(t.Context(), first, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p.begun(2) // elsewhere
	p.open()
	p.allDone("film", 1, 1)
	if ends := p.files("end"); len(ends) != 1 || strings.HasSuffix(ends[0], first) {
		t.Errorf("%q in pod %s that was deleted", ends, first)
	}
}

// One that ends inside its grace period is done.
func TestADeletedPodFinishesItsItem(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.queue("film", "  itemPolicy: {lease: 10m}\n", strings.Replace(gated, "Seconds: 12", "Seconds: 240", 1))
	p.enqueue("film", "a", "b")
	p.begun(1)
	first := p.pods("film")[0].Name
	if err := kube.Client().CoreV1().Pods(p.namespace).Delete(t.Context(), first, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	p.said(first, "terminated: running items have")
	p.open()
	p.allDone("film", 2, 0)
	if n := len(p.files("begin")); n != 2 {
		t.Errorf("items began %d times, want 2", n)
	}
}

// What items leave behind becomes the child of process 1. What runs in the
// container besides, by exec, sees it; a shell there is not.
func TestExecAndLogsOfAWorker(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.queue("film", "", strings.Replace(gated, `[/foreign, gate, /place, "{}"]`, `[/foreign, "{}", /place, x]`, 1))
	p.enqueue("film", "orphans", "gate")
	p.begun(1)
	pod := p.pods("film")[0].Name
	p.said(pod, "orphans /place")
	kube.Until(t, soon, func(ctx context.Context) error {
		out, err := p.exec(ctx, pod, "/foreign", "dead")
		switch {
		case err != nil:
			return err
		case !strings.Contains(out, "dead: 0\n"):
			return fmt.Errorf("dead processes are not waited for: %s", out)
		case strings.Count(out, "foreign") < 2: // it, and the one at the gate
			return fmt.Errorf("what runs in there is not seen: %s", out)
		}
		return nil
	})
	if out, err := p.exec(t.Context(), pod, "/bin/sh", "-c", "true"); err == nil {
		t.Errorf("there is a shell: %s", out)
	} else {
		t.Log(err)
	}
	p.open()
	p.allDone("film", 2, 0)
	p.said(pod, "gate /place")
}

// exec runs a command in the container of a worker, as "kubectl exec" does.
func (p *place) exec(ctx context.Context, pod string, command ...string) (string, error) {
	r := kube.Client().CoreV1().RESTClient().Post().Namespace(p.namespace).Resource("pods").Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: "work", Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	e, err := remotecommand.NewWebSocketExecutor(kube.Config(), "GET", r.URL().String())
	if err != nil {
		return "", err
	}
	var stdout, stderr bytes.Buffer
	if err = e.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &stdout, Stderr: &stderr}); err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return stdout.String(), err
}

// said waits until the log of a worker has something.
func (p *place) said(pod, what string) {
	p.Helper()
	kube.Until(p.T, soon, func(ctx context.Context) error {
		log, err := kube.Logs(ctx, p.namespace, pod, "work")
		if err == nil && !strings.Contains(log, what) {
			err = fmt.Errorf("the log of pod %s is %q, want %q in it", pod, log, what)
		}
		return err
	})
}

// Pods run on without the kubelet, and it finds them when it is back. It does not
// run beside the others, who need it.
func TestItemsGoOnWhileTheKubeletIsAway(t *testing.T) {
	p := newPlace(t)
	p.queue("film", "  scaling: {maxParallelism: 2}\n", gated)
	p.enqueue("film", "a", "b", "c", "d")
	p.begun(2)
	if err := node.KillKubelet(); err != nil {
		t.Fatal(err)
	}
	back := sync.OnceValue(func() error { return node.StartKubelet(context.Background()) })
	t.Cleanup(func() { _ = back() })
	p.open()
	p.allDone("film", 4, 0)
	if err := back(); err != nil {
		t.Fatal(err)
	}
	kube.Until(t, soon, func(context.Context) error {
		pods := p.pods("film")
		if len(pods) != 2 {
			return fmt.Errorf("%d pods, want 2", len(pods))
		}
		for _, pod := range pods {
			if pod.Status.Phase != corev1.PodSucceeded || pod.Status.ContainerStatuses[0].RestartCount > 0 {
				return fmt.Errorf("pod %s is %s: %+v", pod.Name, pod.Status.Phase, pod.Status.ContainerStatuses)
			}
		}
		return nil
	})
	p.enqueue("film", "e") // for a new one
	p.allDone("film", 5, 0)
	if n := len(p.files("begin")); n != 5 {
		t.Errorf("items began %d times, want 5", n)
	}
}
