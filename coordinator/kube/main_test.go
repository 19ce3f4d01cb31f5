package kube

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"go.uber.org/goleak"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// began is when everything in these tests begins.
var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// load is a WorkQueue as an API server would give it.
func load(t *testing.T, text string) *workload.WorkQueue {
	t.Helper()
	name := filepath.Join(t.TempDir(), "q.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, errs := workload.Load(nil, name)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	w := f.Documents[0].Object.(*workload.WorkQueue)
	w.Namespace, w.UID, w.Generation, w.CreationTimestamp = "renders", "0123456789", 1, metav1.NewTime(began)
	return w
}

// film is a WorkQueue with what is special of it in its spec.
func film(t *testing.T, spec string) *workload.WorkQueue {
	t.Helper()
	return load(t, `
apiVersion: sluice.dev/v1alpha1
kind: WorkQueue
metadata: {name: film}
spec:
`+strings.ReplaceAll(spec, "\t", "  ")+`
  jobTemplate:
    spec:
      template:
        spec:
          containers:
          - {name: render, image: blender, command: [render, "{}"], args: [--fast]}
`)
}

// shapeOf is the shape of a WorkQueue without a fault.
func shapeOf(t *testing.T, w *workload.WorkQueue) shape {
	t.Helper()
	s, err := newShape(w, "sluice")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// jobOf is a wave as an API server would give it.
func jobOf(t *testing.T, w *workload.WorkQueue, number int64, n int) *batchv1.Job {
	t.Helper()
	j := shapeOf(t, w).wave(w, number, n)
	j.UID, j.CreationTimestamp = types.UID(j.Name), metav1.NewTime(began)
	return j
}

// podOf is a pod of a wave in a stage.
func podOf(j *batchv1.Job, suffix string, at stage) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: j.Name + "-" + suffix, Namespace: j.Namespace, UID: types.UID("uid-" + j.Name + suffix),
			Labels: with(j.Spec.Template.Labels, map[string]string{batchv1.JobNameLabel: j.Name}), Annotations: j.Spec.Template.Annotations,
			CreationTimestamp: metav1.NewTime(began),
			OwnerReferences:   []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: j.Name, UID: j.UID, Controller: new(true)}},
		},
		Spec:   j.Spec.Template.Spec,
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	if at >= starting {
		p.Spec.NodeName = "node1"
	}
	if at == running {
		p.Status.Phase = corev1.PodRunning
		containerIs(p, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(began.Add(3 * time.Second))}})
	}
	return p
}

func containerIs(p *corev1.Pod, s corev1.ContainerState) {
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "render", Image: "blender", State: s}}
}

// exit ends a pod's worker.
func exit(p *corev1.Pod, code int32, reason string) *corev1.Pod {
	p.Status.Phase = corev1.PodFailed
	if code == 0 {
		p.Status.Phase = corev1.PodSucceeded
	}
	containerIs(p, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}})
	return p
}

// infoOf is what the store says of a pod's worker.
func infoOf(p *corev1.Pod, leases int) queue.WorkerInfo {
	return queue.WorkerInfo{ID: workerOf(p), Leases: leases}
}
