package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// prompt is how long a Job may take to make its pods before its events are
// looked at.
const prompt = 5 * time.Second

// refusal is what others say keeps workers from being there, in events that
// Kubernetes made of a Job that may not make its pods, and of a pod that its
// node cannot prepare. They are read only where something is missing.
func (l *look) refusal(ctx context.Context) (*obstacle, error) {
	for _, w := range l.waves {
		if w.job.Labels[labelTemplate] != l.shape.digest {
			continue
		}
		newest, there := w.job.CreationTimestamp.Time, 0
		for _, m := range w.members {
			if m.stage != ended {
				there++
			}
			if made := m.pod.CreationTimestamp.Time; made.After(newest) {
				newest = made
			}
		}
		if there < w.want() && l.at.Sub(newest) > prompt {
			// What was said before the newest pod was made is no longer so.
			e, err := l.warning(ctx, w.job.Namespace, string(w.job.UID), newest, "FailedCreate")
			if e != nil || err != nil {
				return noPod(w, e), err
			}
		}
	}
	return l.unprepared(ctx)
}

func noPod(w wave, e *corev1.Event) *obstacle {
	if e == nil {
		return nil
	}
	reason := "NoPods"
	if strings.Contains(e.Message, "exceeded quota") {
		reason = "QuotaExceeded"
	}
	return &obstacle{reason, fmt.Sprintf("Job %s makes no more pods: %s", w.job.Name, e.Message)}
}

// unprepared is a pod that its node has had for a while and cannot start, such
// as for a volume that is not there.
func (l *look) unprepared(ctx context.Context) (*obstacle, error) {
	for _, w := range l.waves {
		for _, m := range w.members {
			if m.stage != starting || l.at.Sub(m.pod.CreationTimestamp.Time) <= patience || w.job.Labels[labelTemplate] != l.shape.digest {
				continue
			}
			e, err := l.warning(ctx, m.pod.Namespace, string(m.pod.UID), l.at.Add(-patience), "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
			if err != nil {
				return nil, err
			}
			if e != nil {
				return &obstacle{"PodError", fmt.Sprintf("node %s cannot start pod %s: %s: %s", m.pod.Spec.NodeName, m.pod.Name, e.Reason, e.Message)}, nil
			}
		}
	}
	return nil, nil
}

// warning is the last event of an object with one of these reasons, not before
// since.
func (l *look) warning(ctx context.Context, namespace, uid string, since time.Time, reasons ...string) (last *corev1.Event, err error) {
	var list corev1.EventList
	err = l.fresh.List(ctx, &list, client.InNamespace(namespace),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("involvedObject.uid", uid)})
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	for i := range list.Items {
		e := &list.Items[i]
		if slices.Contains(reasons, e.Reason) && !saidAt(e).Before(since.Truncate(time.Second)) && (last == nil || saidAt(last).Before(saidAt(e))) {
			last = e
		}
	}
	return last, nil
}

// saidAt is when an event came last; which field has it depends on who made it.
func saidAt(e *corev1.Event) time.Time {
	at := e.LastTimestamp.Time
	if e.EventTime.After(at) {
		at = e.EventTime.Time
	}
	if e.Series != nil && e.Series.LastObservedTime.After(at) {
		at = e.Series.LastObservedTime.Time
	}
	return at
}
