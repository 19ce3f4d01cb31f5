package job

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestMain(m *testing.M) {
	// A program under the race detector lingers for a second at its end.
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	goleak.VerifyTestMain(m)
}

// manifest is a Job of one pod that runs a shell script, changed by edit.
func manifest(edit func(*batchv1.JobSpec), script ...string) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "pi"}}
	j.Spec.Template.Spec = corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers:    []corev1.Container{{Name: "main", Command: append([]string{"sh", "-c"}, script...)}},
	}
	if edit != nil {
		edit(&j.Spec)
	}
	return j
}

func indexed(completions, parallelism int32) func(*batchv1.JobSpec) {
	return func(s *batchv1.JobSpec) {
		s.CompletionMode = new(batchv1.IndexedCompletion)
		s.Completions, s.Parallelism = &completions, &parallelism
	}
}

func newController(t testing.TB, j *batchv1.Job, now time.Time) *Controller {
	t.Helper()
	c, err := New(j, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// exit is what a container's end looks like in a pod's status.
func exit(code int32) corev1.PodStatus {
	phase := corev1.PodSucceeded
	if code != 0 {
		phase = corev1.PodFailed
	}
	return corev1.PodStatus{Phase: phase, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}, ContainerStatuses: []corev1.ContainerStatus{{
		Name:  "main",
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reasonOf(code)}},
	}}}
}

// run says how a fake pod goes.
type run struct {
	lasts time.Duration // until it ends by itself; 0: at once
	code  int32
	drain time.Duration // how long it goes on after it was told to end
}

// fakePods are pods in fake time: how the nth to start goes, script says.
type fakePods struct {
	script func(n int, p *corev1.Pod) run

	mu      sync.Mutex
	began   time.Time
	starts  []string // when each was started, and its index if it has one
	live    map[string]*fakePod
	most    int      // at once that nobody had told to end
	endings []string // when each that was told to end was told
}

type fakePod struct {
	run
	told    bool
	timer   *time.Timer
	changed func(corev1.PodStatus)
}

func newFakePods(script func(int, *corev1.Pod) run) *fakePods {
	return &fakePods{script: script, began: time.Now(), live: make(map[string]*fakePod)}
}

func (f *fakePods) Start(p *corev1.Pod, changed func(corev1.PodStatus)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pod := &fakePod{run: f.script(len(f.starts), p), changed: changed}
	at := time.Since(f.began).String()
	if i, ok := p.Annotations[batchv1.JobCompletionIndexAnnotation]; ok {
		at = i + "@" + at
	}
	f.starts = append(f.starts, at)
	f.live[p.Name] = pod
	active := 0
	for _, other := range f.live {
		if !other.told {
			active++
		}
	}
	f.most = max(f.most, active)
	pod.timer = time.AfterFunc(pod.lasts, func() { f.exit(p.Name, pod.code) })
	changed(corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}})
}

func (f *fakePods) End(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.endings = append(f.endings, time.Since(f.began).String())
	pod := f.live[name]
	if pod == nil || !pod.timer.Stop() {
		return // it has just ended by itself
	}
	pod.told = true
	pod.timer = time.AfterFunc(pod.drain, func() { f.exit(name, 143) })
}

func (f *fakePods) exit(name string, code int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live[name].changed(exit(code))
	delete(f.live, name)
}

// conditions are those that are true, with their reasons.
func conditions(j *batchv1.Job) string {
	text := ""
	for _, c := range j.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			text += fmt.Sprintf("%s:%s ", c.Type, c.Reason)
		}
	}
	return text
}

// contextOf ends after d, in fake time.
func contextOf(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}
