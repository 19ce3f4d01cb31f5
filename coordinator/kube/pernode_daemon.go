package kube

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/manifests/workload"
)

// daemonSet is what keeps a worker on each node. Its pods are replaced when
// somebody deletes them, never because the template has changed: that would end
// busy workers.
func (s shape) daemonSet(w *workload.WorkQueue) *appsv1.DaemonSet {
	selector := map[string]string{labelQueue: w.Name}
	mark := with(selector, map[string]string{labelTemplate: s.digest})
	d := &appsv1.DaemonSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"},
		ObjectMeta: metav1.ObjectMeta{
			Name: w.Name, Namespace: w.Namespace,
			Labels: with(w.Spec.JobTemplate.Labels, mark), Annotations: w.Spec.JobTemplate.Annotations,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: workload.APIVersion, Kind: "WorkQueue", Name: w.Name, UID: w.UID, Controller: new(true),
			}},
		},
		Spec: appsv1.DaemonSetSpec{
			Selector:       &metav1.LabelSelector{MatchLabels: selector},
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType},
			Template:       *s.template.DeepCopy(),
		},
	}
	d.Spec.Template.Labels = with(d.Spec.Template.Labels, mark)
	d.Spec.Template.Annotations = with(d.Spec.Template.Annotations, map[string]string{noteWorker: s.container})
	return d
}

// daemons has the DaemonSet be as the spec says, and returns it as it is now, or
// what is in the way.
func (l *look) daemons(ctx context.Context) (*appsv1.DaemonSet, *obstacle, error) {
	want, have := l.shape.daemonSet(l.w), &appsv1.DaemonSet{}
	err := l.Get(ctx, client.ObjectKeyFromObject(want), have)
	if apierrors.IsNotFound(err) {
		if err = l.Create(ctx, want, client.FieldOwner(fieldOwner)); err == nil {
			l.made("made DaemonSet "+want.Name, "mode is PerNode: each node that its template allows has a worker")
			return want, nil, nil
		}
		if apierrors.IsAlreadyExists(err) { // the watch is late, or it is a stranger's
			err = l.fresh.Get(ctx, client.ObjectKeyFromObject(want), have)
		}
	}
	switch {
	case err == nil && !metav1.IsControlledBy(have, l.w):
		return nil, &obstacle{"NameTaken", fmt.Sprintf("DaemonSet %s is there and not this WorkQueue's: delete it, or give the WorkQueue another name", have.Name)}, nil
	case err == nil && have.Labels[labelTemplate] != l.shape.digest:
		have = have.DeepCopy()
		have.Labels, have.Annotations, have.Spec.Template = want.Labels, want.Annotations, want.Spec.Template
		if err = l.Update(ctx, have, client.FieldOwner(fieldOwner)); err == nil {
			l.made("changed DaemonSet "+have.Name, "its template is not the WorkQueue's any more: workers that there are keep theirs until their pods are deleted")
		}
	}
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return nil, &obstacle{string(apierrors.ReasonForError(err)), err.Error()}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("DaemonSet %s: %w", want.Name, err)
	}
	return have, nil, nil
}

// made tells of a DaemonSet that was made or changed.
func (l *look) made(did, why string) {
	l.record(did, why)
	l.tell(corev1.EventTypeNormal, "Launched", "Launch", did+": "+why)
}

// residentObstacle is what keeps the worker of a node from starting, or nil.
func residentObstacle(p *corev1.Pod, now time.Time) *obstacle {
	if o := podObstacle(p, now); o != nil {
		return o
	}
	s := workerStatus(p)
	if s == nil || s.State.Waiting == nil || s.LastTerminationState.Terminated == nil {
		return nil
	}
	return &obstacle{"CannotStart", fmt.Sprintf("the worker on node %s, pod %s, ended %d times, last with exit code %d: see its log",
		p.Spec.NodeName, p.Name, s.RestartCount, s.LastTerminationState.Terminated.ExitCode)}
}
