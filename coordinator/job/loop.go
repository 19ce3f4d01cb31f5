package job

import (
	"context"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// Pods runs pods: as processes, a Runner, or not at all, in a test.
type Pods interface {
	// Start runs a pod and tells changed its status, from any goroutine; the
	// last has the phase Succeeded or Failed.
	Start(pod *corev1.Pod, changed func(corev1.PodStatus))
	// End tells a pod to end within its terminationGracePeriodSeconds.
	End(name string)
}

// Loop carries out what a Controller decides.
type Loop struct {
	// Changed, if set, is told of the Job and its pods after every decision,
	// never two at once. Both are its own.
	Changed func(*batchv1.Job, []*corev1.Pod)

	c    *Controller
	pods Pods
	kick chan struct{}

	mu    sync.Mutex
	inbox []func() // what has happened since the last decision
}

// NewLoop takes over the controller.
func NewLoop(c *Controller, pods Pods) *Loop {
	return &Loop{c: c, pods: pods, kick: make(chan struct{}, 1)}
}

// Suspend ends the Job's pods and holds it, or lets it go on.
func (l *Loop) Suspend(on bool) { l.post(func() { l.c.Suspend(on) }) }

// Run runs the Job until it has finished and its pods have ended, and returns
// it. The end of ctx deletes the Job: its pods are told to end and waited for;
// then it is returned unfinished.
func (l *Loop) Run(ctx context.Context) *batchv1.Job {
	done := ctx.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		a := l.step()
		if a.Done {
			return l.c.Job()
		}
		timer.Stop()
		if !a.Next.IsZero() {
			timer.Reset(time.Until(a.Next))
		}
		select {
		case <-l.kick:
		case <-timer.C:
		case <-done:
			done = nil
			l.c.Delete(time.Now())
		}
	}
}

func (l *Loop) step() Actions {
	l.mu.Lock()
	news := l.inbox
	l.inbox = nil
	l.mu.Unlock()
	for _, happened := range news {
		happened()
	}
	a := l.c.Sync(time.Now())
	for _, name := range a.End {
		l.pods.End(name)
	}
	for _, pod := range a.Start {
		l.pods.Start(pod, func(s corev1.PodStatus) {
			l.post(func() { l.c.Observe(time.Now(), pod.Name, s) })
		})
	}
	if l.Changed != nil {
		l.Changed(l.c.Job(), l.c.Pods())
	}
	return a
}

func (l *Loop) post(happened func()) {
	l.mu.Lock()
	l.inbox = append(l.inbox, happened)
	l.mu.Unlock()
	select {
	case l.kick <- struct{}{}:
	default: // it will look anyway
	}
}
