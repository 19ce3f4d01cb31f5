package kube

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// Why workers end that nobody let go: reasons of the condition Disturbed.
const (
	oomKilled    = "OOMKilled"        // the kernel ended it, at its container's limit of memory
	exceeded     = "ResourceExceeded" // its node evicted it for its own excess of disk or ephemeral storage
	nodePressure = "NodePressure"     // its node ran short, whoever's fault that is
	nodeShutdown = "NodeShutdown"
	nodeLost     = "NodeLost" // not heard of, or gone
	preempted    = "Preempted"
	evicted      = "Evicted"  // through the API, as a drain does
	rejected     = "Rejected" // its node would not have it
	failed       = "Failed"   // by itself
)

// disturbance is what ended a worker.
type disturbance struct {
	reason  string
	message string
}

// disturbanceOf is what ended a pod's worker, or is about to, and nil where
// nothing did but itself, the coordinator, or a person who deleted the pod.
func disturbanceOf(p *corev1.Pod) *disturbance {
	t := terminated(p)
	said := func(reason string, texts ...string) *disturbance {
		texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
		return &disturbance{reason, fmt.Sprintf("pod %s: %s", p.Name, strings.Join(texts, ": "))}
	}
	target := disruption(p)
	switch {
	case t != nil && t.Reason == "OOMKilled" && t.ExitCode != 0 && t.ExitCode != drained: // else it outlived a command that was killed
		return said(oomKilled, "killed for its memory, exit code "+fmt.Sprint(t.ExitCode), memoryLimit(p))
	case target != nil:
		return said(disruptionReason(p, target), target.Reason, p.Status.Reason, p.Status.Message, target.Message)
	case p.Status.Reason == "Evicted": // nodes that are short of something announce a disruption
		return said(exceeded, p.Status.Reason, p.Status.Message)
	case p.Status.Reason == "NodeLost":
		return said(nodeLost, p.Status.Reason, p.Status.Message)
	case p.Status.Phase == corev1.PodFailed && t == nil && p.Status.Reason != "":
		return said(rejected, p.Status.Reason, p.Status.Message)
	case t != nil && t.ExitCode != 0 && t.ExitCode != drained && p.DeletionTimestamp == nil:
		return said(failed, fmt.Sprintf("%s, exit code %d", t.Reason, t.ExitCode), p.Status.Reason, lastWords(t))
	}
	return nil
}

// disruption is the condition by which Kubernetes says that it ends a pod for a
// reason that is not the pod's own.
func disruption(p *corev1.Pod) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if c := &p.Status.Conditions[i]; c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}

func disruptionReason(p *corev1.Pod, c *corev1.PodCondition) string {
	switch c.Reason {
	case corev1.PodReasonPreemptionByScheduler:
		return preempted
	case "EvictionByEvictionAPI":
		return evicted
	case "DeletionByTaintManager", "DeletionByPodGC":
		return nodeLost
	case corev1.PodReasonTerminationByKubelet:
		switch p.Status.Reason {
		case "Preempting":
			return preempted
		case "Terminated", "NodeShutdown":
			return nodeShutdown
		}
		return nodePressure
	}
	return evicted
}

// lastWords are what a container said of its end, but for a worker's name.
func lastWords(t *corev1.ContainerStateTerminated) string {
	if _, ok := workload.IncarnationThatSaid(t.Message); ok {
		return ""
	}
	return t.Message
}

func memoryLimit(p *corev1.Pod) string {
	for i := range p.Spec.Containers {
		if c := &p.Spec.Containers[i]; c.Name == p.Annotations[noteWorker] {
			if limit, ok := c.Resources.Limits[corev1.ResourceMemory]; ok {
				return "the limit of container " + c.Name + " is " + limit.String()
			}
		}
	}
	return ""
}

// failureOf is why the attempts ended that a dead worker still held. Those that
// a disruption ended count no attempt: a worker that is told in time gives its
// items back, and one that is not has its items given back for it.
func failureOf(p *corev1.Pod) queue.Failure {
	t := terminated(p)
	f := queue.Failure{Cause: queue.CauseLeaseExpired, ExitCode: int(t.ExitCode),
		Message: fmt.Sprintf("its worker, pod %s, has ended: %s, exit code %d", p.Name, t.Reason, t.ExitCode)}
	d := disturbanceOf(p)
	if d == nil || d.reason == failed {
		return f
	}
	f.Message = "its worker has ended, " + d.message
	switch d.reason {
	case oomKilled:
		f.Cause = queue.CauseOOMKilled
	case exceeded:
		f.Cause = queue.CauseResourceExceeded
	default:
		f.Cause = queue.CauseInterrupted
		f.Message += "; it did not give the item back in its grace period"
	}
	return f
}
