package kube

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// Every way in which a pod ends, as Kubernetes writes it down.
func TestWhatEndedAWorker(t *testing.T) {
	j := jobOf(t, film(t, ""), 1, 1)
	target := func(reason string) []corev1.PodCondition {
		return []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, Message: "so it was said"}}
	}
	for _, tt := range []struct {
		name       string
		code       int32
		container  string // reason
		pod        string // reason
		conditions []corev1.PodCondition
		reason     string // "": nothing did
		cause      queue.Cause
	}{
		{"it left", 0, "Completed", "", nil, "", queue.CauseLeaseExpired},
		{"it was told to stop", drained, "Error", "", nil, "", queue.CauseLeaseExpired},
		{"it failed", 3, "Error", "", nil, failed, queue.CauseLeaseExpired},
		{"it was killed, nobody says why", 137, "Error", "", nil, failed, queue.CauseLeaseExpired},
		{"its container needs too much memory", 137, "OOMKilled", "", nil, oomKilled, queue.CauseOOMKilled},
		{"a command needed too much, and then it left", 0, "OOMKilled", "", nil, "", queue.CauseLeaseExpired},
		{"so it does while its node is drained", 137, "OOMKilled", "", target("EvictionByEvictionAPI"), oomKilled, queue.CauseOOMKilled},
		{"it filled its disk", 137, "Error", "Evicted", nil, exceeded, queue.CauseResourceExceeded},
		{"its node is short of memory", 137, "Error", "Evicted", target("TerminationByKubelet"), nodePressure, queue.CauseInterrupted},
		{"its node shuts down", 137, "Error", "Terminated", target("TerminationByKubelet"), nodeShutdown, queue.CauseInterrupted},
		{"its node needs room for a critical pod", 137, "Error", "Preempting", target("TerminationByKubelet"), preempted, queue.CauseInterrupted},
		{"the scheduler needs room", 137, "Error", "", target("PreemptionByScheduler"), preempted, queue.CauseInterrupted},
		{"its node is drained", 137, "Error", "", target("EvictionByEvictionAPI"), evicted, queue.CauseInterrupted},
		{"its node was not heard of", 137, "Error", "", target("DeletionByTaintManager"), nodeLost, queue.CauseInterrupted},
		{"its node is gone", 137, "ContainerStatusUnknown", "", target("DeletionByPodGC"), nodeLost, queue.CauseInterrupted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := exit(podOf(j, "a", running), tt.code, tt.container)
			p.Status.Reason, p.Status.Conditions = tt.pod, tt.conditions
			switch d := disturbanceOf(p); {
			case d == nil && tt.reason != "", d != nil && d.reason != tt.reason:
				t.Errorf("it was %+v, want %q", d, tt.reason)
			case d != nil && !strings.Contains(d.message, p.Name):
				t.Errorf("%q names no pod", d.message)
			}
			f := failureOf(p)
			if f.Cause != tt.cause || f.ExitCode != int(tt.code) || !strings.Contains(f.Message, p.Name) {
				t.Errorf("failure %+v, want %s", f, tt.cause)
			}
		})
	}
}

func TestWhatEndsAWorkerThatHasNotEndedYet(t *testing.T) {
	j := jobOf(t, film(t, ""), 1, 1)
	lost := podOf(j, "a", running)
	lost.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "DeletionByTaintManager"}}
	refused := podOf(j, "b", starting)
	refused.Status.Phase, refused.Status.Reason = corev1.PodFailed, "OutOfcpu"
	for p, want := range map[*corev1.Pod]string{lost: nodeLost, refused: rejected} {
		if d := disturbanceOf(p); d == nil || d.reason != want {
			t.Errorf("pod %s: %+v, want %s", p.Name, d, want)
		}
	}
	if d := disturbanceOf(podOf(j, "c", running)); d != nil {
		t.Errorf("a pod that runs is disturbed by %+v", d)
	}
}

func TestADisturbanceIsToldForAWhile(t *testing.T) {
	q := film(t, "")
	q.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
	j := jobOf(t, q, 1, 2)
	p := exit(podOf(j, "a", running), 137, "OOMKilled")
	p.Status.ContainerStatuses[0].State.Terminated.FinishedAt = metav1.NewTime(began)
	w := newWorld(t, q, j, p)
	w.q.workers = []queue.WorkerInfo{infoOf(p, 1)}
	got := w.look("film")
	wantCondition(t, got, Disturbed, metav1.ConditionTrue, oomKilled)
	if m := conditionOf(got, Disturbed).Message; !strings.Contains(m, "1 OOMKilled") || !strings.Contains(m, "limit of container render is 64Mi") {
		t.Errorf("message %q", m)
	}
	if len(w.q.failures) != 1 || w.q.failures[0].Cause != queue.CauseOOMKilled {
		t.Errorf("failures %+v", w.q.failures)
	}
	if err := w.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.at = began.Add(recent - time.Second)
	wantCondition(t, w.look("film"), Disturbed, metav1.ConditionTrue, oomKilled)
	w.at = began.Add(2 * recent)
	wantCondition(t, w.look("film"), Disturbed, metav1.ConditionFalse, "Undisturbed")
}

func TestEventsSayWhatIsMissing(t *testing.T) {
	q := film(t, "\n  scaling: {maxParallelism: 2}")
	job := jobOf(t, q, 1, 2)
	pod := podOf(job, "a", starting)
	event := func(of types.UID, reason, message string, at time.Duration) *corev1.Event {
		return &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "renders", Name: "event"}, Reason: reason, Message: message,
			InvolvedObject: corev1.ObjectReference{UID: of}, LastTimestamp: metav1.NewTime(began.Add(at))}
	}
	const quota = `Error creating: pods "film-1-b" is forbidden: exceeded quota: small`
	for _, tt := range []struct {
		name  string
		pods  []*corev1.Pod
		event *corev1.Event
		after time.Duration
		want  string // "": nothing
	}{
		{"a Job that may make no pods", nil, event(job.UID, "FailedCreate", quota, time.Second), 6 * time.Second, "QuotaExceeded"},
		{"a Job that may make no more", []*corev1.Pod{podOf(job, "a", running)}, event(job.UID, "FailedCreate", quota, time.Second), 6 * time.Second, "QuotaExceeded"},
		{"a webhook that refuses", nil, event(job.UID, "FailedCreate", "denied by policy", time.Second), 6 * time.Second, "NoPods"},
		{"it only begins", nil, event(job.UID, "FailedCreate", quota, time.Second), 4 * time.Second, ""},
		{"it could since", nil, event(job.UID, "FailedCreate", quota, -time.Minute), 6 * time.Second, ""},
		{"another's event", nil, event("other", "FailedCreate", quota, time.Second), 6 * time.Second, ""},
		{"a volume that is not there", []*corev1.Pod{pod, podOf(job, "b", pending)}, event(pod.UID, "FailedMount", `configmap "c" not found`, 50*time.Second), 61 * time.Second, "PodError"},
		{"a volume that is late", []*corev1.Pod{pod, podOf(job, "b", pending)}, event(pod.UID, "FailedMount", `configmap "c" not found`, 50*time.Second), 59 * time.Second, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, q.DeepCopy(), job.DeepCopy(), tt.event)
			for _, p := range tt.pods {
				w.add(p.DeepCopy())
			}
			w.q.depth.Ready, w.at = 2, began.Add(tt.after)
			got := conditionOf(w.look("film"), Scaling)
			if tt.want == "" && got.Status != metav1.ConditionTrue || tt.want != "" && (got.Status != metav1.ConditionFalse || got.Reason != tt.want) {
				t.Errorf("condition %+v, want %q", got, tt.want)
			}
			if tt.want != "" && !strings.Contains(got.Message, tt.event.Message) {
				t.Errorf("message %q does not have the event's", got.Message)
			}
		})
	}
}

func conditionOf(w *workload.WorkQueue, kind string) metav1.Condition {
	return deref(meta.FindStatusCondition(w.Status.Conditions, kind))
}
