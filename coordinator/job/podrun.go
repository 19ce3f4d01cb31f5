package job

import (
	"io"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/internal/proc"
)

// podRun is a pod that a Runner runs.
type podRun struct {
	r       *Runner
	pod     *corev1.Pod
	changed func(corev1.PodStatus)
	ending  chan struct{} // closed when the pod is told to end

	mu      sync.Mutex // guards what follows, and the order of calls to changed
	status  corev1.PodStatus
	over    bool // the pod was told to end: nothing is started any more
	running map[*process]struct{}
}

func newPodRun(r *Runner, pod *corev1.Pod, changed func(corev1.PodStatus)) *podRun {
	p := &podRun{
		r: r, pod: pod, changed: changed,
		ending:  make(chan struct{}),
		running: make(map[*process]struct{}),
	}
	p.status = *pod.Status.DeepCopy()
	p.status.Phase = corev1.PodPending
	p.status.StartTime = new(metav1.Now())
	p.status.InitContainerStatuses = waiting(pod.Spec.InitContainers)
	p.status.ContainerStatuses = waiting(pod.Spec.Containers)
	return p
}

func waiting(list []corev1.Container) []corev1.ContainerStatus {
	statuses := make([]corev1.ContainerStatus, len(list))
	for i, c := range list {
		statuses[i] = corev1.ContainerStatus{
			Name: c.Name, Image: c.Image,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}},
		}
	}
	return statuses
}

// run runs the init containers one after another and then the others together.
func (p *podRun) run() {
	if limit := p.pod.Spec.ActiveDeadlineSeconds; limit != nil {
		timer := time.AfterFunc(time.Duration(*limit)*time.Second, func() {
			p.end("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
		})
		defer timer.Stop()
	}
	p.update(func() {})
	for i := range p.pod.Spec.InitContainers {
		if !p.container(&p.pod.Spec.InitContainers[i], &p.status.InitContainerStatuses[i]) {
			return
		}
	}
	p.update(func() { p.status.Phase = corev1.PodRunning })
	var all sync.WaitGroup
	for i := range p.pod.Spec.Containers {
		all.Go(func() { p.container(&p.pod.Spec.Containers[i], &p.status.ContainerStatuses[i]) })
	}
	all.Wait()
}

// container runs a container to its end, again and again where the pod restarts
// it, and tells whether it has succeeded.
func (p *podRun) container(c *corev1.Container, s *corev1.ContainerStatus) bool {
	var delays restarts
	for {
		ended := p.attempt(c, s)
		if ended == nil {
			return false // the pod was told to end before
		}
		if ended.ExitCode == 0 || p.pod.Spec.RestartPolicy == corev1.RestartPolicyNever {
			return ended.ExitCode == 0
		}
		if delay := delays.next(time.Now()); !p.pause(delay, s, ended) {
			p.update(func() {
				s.State, s.LastTerminationState = corev1.ContainerState{Terminated: ended}, corev1.ContainerState{}
			})
			return false
		}
		p.update(func() { s.RestartCount++ })
	}
}

// pause waits before a restart, and is false when the pod is told to end.
func (p *podRun) pause(delay time.Duration, s *corev1.ContainerStatus, ended *corev1.ContainerStateTerminated) bool {
	p.update(func() {
		s.LastTerminationState = corev1.ContainerState{Terminated: ended}
		if delay > 0 {
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off " + delay.String()}}
		}
	})
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-p.ending:
		return false
	case <-timer.C:
		return true
	}
}

// attempt runs a container's command once. It returns nil when the pod was told
// to end before that.
func (p *podRun) attempt(c *corev1.Container, s *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	stdout, stderr := p.r.output(p.pod, c.Name)
	defer stdout.Close()
	defer stderr.Close()
	ended := &corev1.ContainerStateTerminated{StartedAt: metav1.Now()}
	child, err := p.launch(c, s, stdout, stderr)
	switch {
	case err != nil: // as a container runtime says it that finds no such program
		ended.ExitCode, ended.Reason, ended.Message = 128, "StartError", err.Error()
	case child == nil:
		return nil
	default:
		ended.ExitCode = child.wait(p.r.mark(p.pod, c))
		ended.Reason = reasonOf(ended.ExitCode)
	}
	ended.FinishedAt = metav1.Now()
	p.update(func() {
		delete(p.running, child)
		s.Ready, s.Started = false, new(false)
		s.State = corev1.ContainerState{Terminated: ended}
	})
	return ended
}

// launch starts a container's command. It returns nil and no error when the pod
// was told to end before.
func (p *podRun) launch(c *corev1.Container, s *corev1.ContainerStatus, stdout, stderr io.Writer) (*process, error) {
	cmd, err := p.r.command(p.pod, c)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil, nil
	}
	if err := proc.Start(cmd); err != nil {
		return nil, err
	}
	child := &process{cmd: cmd}
	p.running[child] = struct{}{}
	s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
	s.Ready, s.Started = true, new(true)
	p.tell()
	return child, nil
}

func reasonOf(code int32) string {
	if code == 0 {
		return "Completed"
	}
	return "Error"
}

// end tells the pod to end. The first reason given stays.
func (p *podRun) end(reason, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	p.over = true
	p.status.Reason, p.status.Message = reason, message
	close(p.ending)
	for child := range p.running {
		child.terminate(p.grace())
	}
}

// kill kills what runs. The pod was told to end, so that nothing follows.
func (p *podRun) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for child := range p.running {
		child.destroy()
	}
}

func (p *podRun) grace() time.Duration {
	if s := p.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return corev1.DefaultTerminationGracePeriodSeconds * time.Second
}

// update changes the status and tells of it.
func (p *podRun) update(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.tell()
}

func (p *podRun) tell() {
	setReady(&p.status, p.status.Phase == corev1.PodRunning && !slices.ContainsFunc(p.status.ContainerStatuses,
		func(s corev1.ContainerStatus) bool { return !s.Ready && !succeeded(s) }))
	p.changed(*p.status.DeepCopy())
}

// finish states the phase in which the pod has ended.
func (p *podRun) finish() {
	p.update(func() {
		p.status.Phase = corev1.PodSucceeded
		for _, s := range p.status.ContainerStatuses {
			if !succeeded(s) {
				p.status.Phase = corev1.PodFailed
			}
		}
		if p.status.Reason != "" {
			p.status.Phase = corev1.PodFailed
		}
	})
}

func succeeded(s corev1.ContainerStatus) bool {
	return s.State.Terminated != nil && s.State.Terminated.ExitCode == 0
}

// setReady states whether the pod is ready, and since when.
func setReady(s *corev1.PodStatus, ready bool) {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	at := slices.IndexFunc(s.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	if at < 0 {
		s.Conditions = append(s.Conditions, corev1.PodCondition{Type: corev1.PodReady})
		at = len(s.Conditions) - 1
	}
	if s.Conditions[at].Status != status {
		s.Conditions[at].Status, s.Conditions[at].LastTransitionTime = status, metav1.Now()
	}
}
