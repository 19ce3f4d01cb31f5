package job

import (
	"context"
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

	c     *Controller
	pods  Pods
	inbox inbox
}

// NewLoop takes over the controller.
func NewLoop(c *Controller, pods Pods) *Loop {
	return &Loop{c: c, pods: pods, inbox: newInbox()}
}

// Suspend ends the Job's pods and holds it, or lets it go on. It may be called
// at any time, from any goroutine.
func (l *Loop) Suspend(on bool) { l.inbox.post(func() { l.c.Suspend(on) }) }

// Run runs the Job until it has finished and its pods have ended, and returns
// it. The end of ctx deletes the Job: its pods are told to end and waited for;
// then it is returned unfinished. One that is suspended and has no pods is
// returned as it is, since nothing of it has to end.
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
		case <-l.inbox.kick:
		case <-timer.C:
		case <-done:
			done = nil
			if l.c.suspended() && len(l.c.live) == 0 {
				return l.c.Job()
			}
			l.c.Delete(time.Now())
		}
	}
}

func (l *Loop) step() Actions {
	l.inbox.open()
	a := l.c.Sync(time.Now())
	for _, name := range a.End {
		l.pods.End(name)
	}
	for _, pod := range a.Start {
		l.pods.Start(pod, func(s corev1.PodStatus) {
			l.inbox.post(func() { l.c.Observe(time.Now(), pod.Name, s) })
		})
	}
	if l.Changed != nil {
		l.Changed(l.c.Job(), l.c.Pods())
	}
	return a
}
