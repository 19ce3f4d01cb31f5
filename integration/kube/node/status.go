package node

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// status is what of a pod's status the node decides.
type status struct {
	phase           corev1.PodPhase
	reason, message string
	inits, mains    []corev1.ContainerStatus
	conditions      []corev1.PodCondition
}

func newStatus(spec *corev1.PodSpec) status {
	waiting := func(containers []corev1.Container, reason string) (list []corev1.ContainerStatus) {
		for _, c := range containers {
			list = append(list, corev1.ContainerStatus{
				Name: c.Name, Image: c.Image, ImageID: c.Image, Started: new(bool),
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}},
			})
		}
		return list
	}
	mains := "ContainerCreating"
	if len(spec.InitContainers) > 0 {
		mains = "PodInitializing"
	}
	return status{phase: corev1.PodPending, inits: waiting(spec.InitContainers, "PodInitializing"), mains: waiting(spec.Containers, mains)}
}

// over tells whether the pod has ended.
func (p *pod) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return ended(p.status.phase)
}

func ended(phase corev1.PodPhase) bool {
	return phase == corev1.PodSucceeded || phase == corev1.PodFailed
}

// finish decides how a pod has ended that runs no more.
func (s *status) finish() {
	s.phase = corev1.PodSucceeded
	if s.reason != "" {
		s.phase = corev1.PodFailed
	}
	for _, c := range s.mains {
		if t := c.State.Terminated; t == nil || t.ExitCode != 0 {
			s.phase = corev1.PodFailed
		}
	}
}

// derive sets what follows from the containers.
func (s *status) derive(spec *corev1.PodSpec) {
	over := ended(s.phase)
	ready, initialized := !over, true
	for _, c := range s.mains {
		ready = ready && c.Ready
		if !over && (c.State.Running != nil || c.State.Terminated != nil || c.RestartCount > 0) {
			s.phase = corev1.PodRunning
		}
	}
	for i, c := range s.inits {
		if sidecar(&spec.InitContainers[i]) {
			initialized = initialized && (c.Started != nil && *c.Started || over)
		} else {
			initialized = initialized && c.State.Terminated != nil && c.State.Terminated.ExitCode == 0
		}
	}
	why := ""
	switch s.phase {
	case corev1.PodSucceeded:
		why = "PodCompleted"
	case corev1.PodFailed:
		why = "PodFailed"
	}
	s.condition(corev1.PodInitialized, initialized, "")
	s.condition(corev1.ContainersReady, ready, why)
	s.condition(corev1.PodReady, ready, why)
}

func (s *status) condition(kind corev1.PodConditionType, is bool, why string) {
	value := corev1.ConditionFalse
	if is {
		value = corev1.ConditionTrue
	}
	i := slices.IndexFunc(s.conditions, func(c corev1.PodCondition) bool { return c.Type == kind })
	if i < 0 {
		i = len(s.conditions)
		s.conditions = append(s.conditions, corev1.PodCondition{Type: kind})
	}
	if c := &s.conditions[i]; c.Status != value {
		c.LastTransitionTime = metav1.Now()
		c.Status, c.Reason = value, why
	}
}

// report changes the pod's status and writes it. Reports are written in the
// order in which they were made.
func (p *pod) report(change func(*status)) {
	p.reporting.Lock()
	defer p.reporting.Unlock()
	p.mu.Lock()
	if change != nil {
		change(&p.status)
	}
	p.status.derive(&p.object.Spec)
	s := p.status
	patch, err := json.Marshal(map[string]any{
		// Another pod of that name answers with a conflict.
		"metadata": map[string]any{"uid": p.object.UID},
		"status": corev1.PodStatus{
			Phase: s.phase, Reason: s.reason, Message: s.message, StartTime: &p.started, Conditions: s.conditions,
			HostIP: loopback, HostIPs: []corev1.HostIP{{IP: loopback}}, PodIP: p.ip, PodIPs: []corev1.PodIP{{IP: p.ip}},
			InitContainerStatuses: s.inits, ContainerStatuses: s.mains,
		},
	})
	same := bytes.Equal(patch, p.reported)
	p.reported = patch
	p.mu.Unlock()
	if err == nil && !same {
		// A patch: conditions belong to several writers.
		err = p.again(func() error {
			_, err := p.node.client.CoreV1().Pods(p.object.Namespace).Patch(p.node.ctx, p.object.Name,
				types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
			return err
		})
	}
	p.node.complain("status", p, err)
}

// contradicts tells whether the API server has the pod as not ready since it
// became ready here: so its controllers mark the pods of a node that was silent.
// The next report is written then, though nothing has changed here.
func (p *pod) contradicts(object *corev1.Pod) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ours, theirs := readiness(p.status.conditions), readiness(object.Status.Conditions)
	marked := ours.Status == corev1.ConditionTrue && theirs.Status == corev1.ConditionFalse &&
		ours.LastTransitionTime.Before(&theirs.LastTransitionTime)
	if marked {
		p.reported = nil
	}
	return marked
}

func readiness(list []corev1.PodCondition) corev1.PodCondition {
	for _, c := range list {
		if c.Type == corev1.PodReady {
			return c
		}
	}
	return corev1.PodCondition{}
}

// again calls f, a request, until it succeeds, gets an answer that is final, or
// the node ends. Forbidden is not final at first: the authorizer of nodes may not
// have seen the binding yet.
func (p *pod) again(f func() error) error {
	const pause = 50 * time.Millisecond
	for i := 0; ; i++ {
		err := f()
		final := err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) || apierrors.IsInvalid(err) ||
			apierrors.IsForbidden(err) && i > 40
		if final {
			return err
		}
		select {
		case <-time.After(pause):
		case <-p.node.ctx.Done():
			return err
		}
	}
}

// lost is for a pod that an earlier life of this node ran: its processes went
// with that life.
func (p *pod) lost() {
	p.started = *p.object.Status.StartTime
	p.report(func(s *status) {
		s.phase = corev1.PodFailed
		for _, part := range []struct{ to, from []corev1.ContainerStatus }{
			{s.inits, p.object.Status.InitContainerStatuses}, {s.mains, p.object.Status.ContainerStatuses},
		} {
			copy(part.to, part.from)
			for i := range part.to {
				c := &part.to[i]
				if c.State.Terminated == nil {
					c.Ready, c.Started = false, new(bool)
					c.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
						ExitCode: 137, Reason: "ContainerStatusUnknown", FinishedAt: metav1.Now(),
						Message: "The container could not be located when the pod was terminated",
					}}
				}
			}
		}
	})
}

// remove tells the API server that nothing of the pod is left here.
func (p *pod) remove() {
	now, uid := int64(0), p.object.UID
	err := p.again(func() error {
		return p.node.client.CoreV1().Pods(p.object.Namespace).Delete(p.node.ctx, p.object.Name,
			metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &uid}})
	})
	p.node.complain("delete", p, err)
}

// complain logs an error of the API server, unless the pod is gone or another of
// its name has come.
func (n *node) complain(what string, p *pod, err error) {
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && n.ctx.Err() == nil {
		n.log.Error("the API server does not take it", "what", what, "pod", p.object.Name, "error", err)
	}
}
