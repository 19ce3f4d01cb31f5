package kube

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/manifests/workload"
)

// end is a container's end at a moment, and what it says.
func end(code int32, reason, message string, at time.Time) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message, FinishedAt: metav1.NewTime(at), ContainerID: at.String()}
}

// saysOf is the termination message of an incarnation of a pod's worker.
func saysOf(on string, n int64) string {
	return workload.Incarnation{ID: "film-" + on + "." + on, Number: n}.LastWords()
}

// status has the container on a node be in a state, with what ended it before.
func (l *land) status(on string, now corev1.ContainerState, last *corev1.ContainerStateTerminated) *corev1.Pod {
	l.t.Helper()
	p := pod(on)
	if err := l.Get(l.t.Context(), client.ObjectKeyFromObject(p), p); err != nil {
		l.t.Fatal(err)
	}
	containerIs(p, now)
	p.Status.ContainerStatuses[0].LastTerminationState.Terminated = last
	if err := l.Status().Update(l.t.Context(), p); err != nil {
		l.t.Fatal(err)
	}
	return p
}

var (
	runs  = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	waits = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
)

func over(t *corev1.ContainerStateTerminated) corev1.ContainerState {
	return corev1.ContainerState{Terminated: t}
}

func TestAContainerThatIsStartedAgainIsToldOnce(t *testing.T) {
	l := newLand(t, "a", "b")
	l.start("a", "b")
	recorder := l.r.events.(*events.FakeRecorder)
	warnings := func() (n int) {
		for {
			select {
			case e := <-recorder.Events:
				if strings.HasPrefix(e, "Warning OOMKilled ") {
					n++
				}
			default:
				return n
			}
		}
	}
	is := func(want string) {
		t.Helper()
		got := l.look("film")
		c := deref(meta.FindStatusCondition(got.Status.Conditions, Disturbed))
		if !strings.HasPrefix(c.Message, want) || (c.Status == metav1.ConditionTrue) != (want != "") {
			t.Errorf("condition %+v, want %q", c, want)
		}
	}
	is("")
	first, second := end(137, "OOMKilled", saysOf("a", 5), began), end(137, "OOMKilled", saysOf("a", 6), began.Add(time.Minute))
	for _, now := range []corev1.ContainerState{over(first), waits, runs} {
		last := first
		if now.Terminated != nil {
			last = nil
		}
		l.status("a", now, last)
		is("workers that ended: 1 OOMKilled; the last, pod film-a: killed for its memory")
	}
	if n := warnings(); n != 1 {
		t.Errorf("the first was told %d times, want once", n)
	}
	l.at = began.Add(2 * time.Minute)
	l.status("b", runs, end(drained, "Error", "", began)) // told to stop
	l.status("a", over(second), first)
	is("workers that ended: 2 OOMKilled;")
	l.status("a", runs, second)
	is("workers that ended: 2 OOMKilled;")
	if n := warnings(); n != 1 {
		t.Errorf("the second was told %d times, want once", n)
	}
	l.status("b", runs, end(3, "Error", saysOf("b", 1), began.Add(90*time.Second)))
	is("workers that ended: 1 Failed, 2 OOMKilled; the last, pod film-b:")
	l.at = began.Add(recent)
	is("workers that ended: 1 Failed, 1 OOMKilled;")
	l.at = began.Add(recent + time.Minute)
	is("workers that ended: 1 Failed; the last, pod film-b: Error, exit code 3")
	if c := conditionOf(l.look("film"), Disturbed); strings.Contains(c.Message, "sluice worker") {
		t.Errorf("message %q", c.Message)
	}
	l.at = began.Add(2 * recent)
	is("")
}
