package kube

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// recent is how long what ended a worker is told.
const recent = 15 * time.Minute

// ending is what ended a worker, and when.
type ending struct {
	disturbance
	at time.Time
}

// disturb says of the WorkQueue what ended its workers of late.
func (l *look) disturb() {
	for _, p := range l.lives {
		d := disturbanceOf(p)
		if d == nil || l.at.Sub(endedAt(p)) >= recent {
			continue
		}
		key := endingKey(p)
		if _, told := l.endings[key]; !told {
			l.tell(corev1.EventTypeWarning, d.reason, "Watch", d.message)
		}
		l.endings[key] = ending{*d, endedAt(p)}
	}
	maps.DeleteFunc(l.endings, func(_ string, e ending) bool { return l.at.Sub(e.at) >= recent })
	if len(l.endings) > 0 {
		last := ending{}
		counts := make(map[string]int)
		for _, key := range slices.Sorted(maps.Keys(l.endings)) {
			e := l.endings[key]
			counts[e.reason]++
			if last.at.Before(e.at) {
				last = e
			}
		}
		condition(l.w, Disturbed, metav1.ConditionTrue, last.reason, tally(counts)+"; the last, "+last.message)
		return
	}
	// A coordinator before this one may have known of what is not there any more.
	if l.at.Sub(l.since) >= recent || !meta.IsStatusConditionTrue(l.w.Status.Conditions, Disturbed) {
		condition(l.w, Disturbed, metav1.ConditionFalse, "Undisturbed", "")
	}
}

// livesOf are a pod as it is, and as it was when its container ended that has
// been started again.
func livesOf(p *corev1.Pod) []*corev1.Pod {
	s := workerStatus(p)
	if s == nil || s.LastTerminationState.Terminated == nil {
		return []*corev1.Pod{p}
	}
	before := *p
	before.DeletionTimestamp = nil // nor was it to be disrupted: that ends a pod for good
	before.Status = corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: s.Name, State: corev1.ContainerState{Terminated: s.LastTerminationState.Terminated},
	}}}
	return []*corev1.Pod{&before, p}
}

// endingKey tells the ends of workers apart. A pod has one, unless its container
// is started again.
func endingKey(p *corev1.Pod) string {
	key := string(p.UID)
	if t := terminated(p); t != nil && p.Spec.RestartPolicy == corev1.RestartPolicyAlways && p.Status.Reason == "" && disruption(p) == nil {
		key = fmt.Sprintf("%s %s %d", key, t.ContainerID, t.FinishedAt.Unix())
	}
	return key
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
