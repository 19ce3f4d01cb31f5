package kube

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
		return said(failed, fmt.Sprintf("%s, exit code %d", t.Reason, t.ExitCode), p.Status.Reason, t.Message)
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

// recent is how long what ended a worker is told.
const recent = 15 * time.Minute

// disturb says of the WorkQueue what ended its workers of late. Of some the pods
// are gone at once.
func (l *look) disturb() {
	var last *corev1.Pod
	counts := make(map[string]int)
	present := make(map[string]bool)
	for i := range l.pods {
		p := &l.pods[i]
		d := disturbanceOf(p)
		if d == nil || l.at.Sub(endedAt(p)) >= recent {
			continue
		}
		counts[d.reason]++
		if last == nil || endedAt(last).Before(endedAt(p)) {
			last = p
		}
		key := string(p.UID)
		present[key] = true
		if !l.told[key] {
			l.tell(corev1.EventTypeWarning, d.reason, "Watch", d.message)
		}
	}
	l.told = present
	if last != nil {
		d := disturbanceOf(last)
		l.disturbed = l.at
		condition(l.w, Disturbed, metav1.ConditionTrue, d.reason, tally(counts)+"; the last, "+d.message)
		return
	}
	if l.disturbed.IsZero() {
		l.disturbed = l.at // of a coordinator before this one
	}
	if l.at.Sub(l.disturbed) >= recent || !meta.IsStatusConditionTrue(l.w.Status.Conditions, Disturbed) {
		condition(l.w, Disturbed, metav1.ConditionFalse, "Undisturbed", "")
	}
}

// endedAt is when a pod ended, or was told to.
func endedAt(p *corev1.Pod) time.Time {
	switch t := terminated(p); {
	case t != nil && !t.FinishedAt.IsZero():
		return t.FinishedAt.Time
	case p.DeletionTimestamp != nil:
		return p.DeletionTimestamp.Time
	}
	return p.CreationTimestamp.Time
}

// tally is how many workers ended for which reason.
func tally(counts map[string]int) string {
	var parts []string
	for reason, n := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(parts)
	return "workers that ended: " + strings.Join(parts, ", ")
}
