package kube

import (
	"context"
	"encoding/json"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/manifests/workload"
)

// schedule has the CronJob of a WorkQueue be as spec.schedule says. It has the
// WorkQueue's name, so that "kubectl create job --from=cronjob/NAME" makes a
// batch by hand.
func (l *look) schedule(ctx context.Context) error {
	if len(l.faults) > 0 { // the one that was made before goes on
		return nil
	}
	var have batchv1.CronJob
	err := l.Get(ctx, client.ObjectKeyFromObject(l.w), &have)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read CronJob %s: %w", l.w.Name, err)
	}
	found := err == nil
	if l.w.Spec.Schedule == nil {
		if !found || !metav1.IsControlledBy(&have, l.w) {
			meta.RemoveStatusCondition(&l.w.Status.Conditions, Scheduled)
			return nil
		}
		return l.unschedule(ctx, &have)
	}
	want, err := cronJob(l.w, l.o.Image)
	if err != nil {
		return err
	}
	switch {
	case !found:
		err = l.Create(ctx, want, client.FieldOwner(fieldOwner))
	case !metav1.IsControlledBy(&have, l.w):
		l.taken(want.Name)
		return nil
	case have.Annotations[labelTemplate] == want.Annotations[labelTemplate] && equality.Semantic.DeepDerivative(want.Spec, have.Spec):
		l.scheduled(want)
		return nil
	default:
		want.ResourceVersion = have.ResourceVersion // or somebody else has changed it meanwhile
		err = l.Update(ctx, want, client.FieldOwner(fieldOwner))
	}
	switch {
	case apierrors.IsAlreadyExists(err): // a stranger's, which is not watched, or a watch is late
		l.taken(want.Name)
		return nil
	case apierrors.IsForbidden(err) || apierrors.IsInvalid(err): // its time zones, say, are those of another list
		condition(l.w, Scheduled, metav1.ConditionFalse, string(apierrors.ReasonForError(err)), err.Error())
		return nil
	case err != nil:
		return fmt.Errorf("write CronJob %s: %w", want.Name, err)
	}
	l.record("wrote CronJob "+want.Name, "it is what spec.schedule says")
	l.tell(corev1.EventTypeNormal, "Scheduled", "Schedule", fmt.Sprintf("wrote CronJob %s: %s", want.Name, want.Spec.Schedule))
	l.scheduled(want)
	return nil
}

// unschedule deletes the CronJob, and with it its Jobs. Batches that were made
// go on.
func (l *look) unschedule(ctx context.Context, c *batchv1.CronJob) error {
	err := l.Delete(ctx, c, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &c.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete CronJob %s: %w", c.Name, err)
	}
	meta.RemoveStatusCondition(&l.w.Status.Conditions, Scheduled)
	l.record("deleted CronJob "+c.Name, "spec.schedule is there no more")
	return nil
}

// scheduled says that the CronJob is as it should be.
func (l *look) scheduled(c *batchv1.CronJob) {
	reason, message := "Scheduled", fmt.Sprintf("CronJob %s makes a batch at %s", c.Name, c.Spec.Schedule)
	if zone := deref(c.Spec.TimeZone); zone != "" {
		message += ", " + zone
	}
	if deref(c.Spec.Suspend) {
		reason, message = "Suspended", fmt.Sprintf("CronJob %s makes no batches, since spec.schedule.suspend is true", c.Name)
	}
	condition(l.w, Scheduled, metav1.ConditionTrue, reason, message)
}

func (l *look) taken(name string) {
	condition(l.w, Scheduled, metav1.ConditionFalse, "NameTaken", fmt.Sprintf("there is a CronJob %s which is not this WorkQueue's: delete or rename one of the two", name))
}

// cronJob is what keeps the schedule of a WorkQueue. A Job of it runs as long as
// its batch does, so that what a CronJob says of Jobs (which may run at once, how
// many are kept) is true of batches.
func cronJob(w *workload.WorkQueue, image string) (*batchv1.CronJob, error) {
	pod, err := firingPod(w, image)
	if err != nil {
		return nil, err
	}
	spec := *w.DeepCopy()
	workload.Defaults(&spec) // of the schedule: what is stated can be compared
	s := spec.Spec.Schedule
	mark := map[string]string{labelSchedule: w.Name}
	c := &batchv1.CronJob{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "CronJob"},
		ObjectMeta: metav1.ObjectMeta{
			Name: w.Name, Namespace: w.Namespace,
			Labels: map[string]string{labelQueue: w.Name},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: workload.APIVersion, Kind: "WorkQueue", Name: w.Name, UID: w.UID, Controller: new(true),
			}},
		},
		Spec: batchv1.CronJobSpec{
			Schedule: s.Schedule, TimeZone: s.TimeZone, ConcurrencyPolicy: s.ConcurrencyPolicy,
			StartingDeadlineSeconds: s.StartingDeadlineSeconds, Suspend: s.Suspend,
			SuccessfulJobsHistoryLimit: s.SuccessfulJobsHistoryLimit, FailedJobsHistoryLimit: s.FailedJobsHistoryLimit,
			JobTemplate: batchv1.JobTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: mark},
				Spec: batchv1.JobSpec{
					PodFailurePolicy: firingFailures(pod.Containers[0].Name),
					Template:         corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: mark}, Spec: pod},
				},
			},
		},
	}
	text, err := json.Marshal(c.Spec)
	if err != nil {
		return nil, fmt.Errorf("spec.schedule: %w", err)
	}
	c.Annotations = map[string]string{labelTemplate: digestOf(text)}
	return c, nil
}

// firingFailures has the store's failures tried again, and not what would fail
// again: a bad source, and a batch of which items are dead.
func firingFailures(container string) *batchv1.PodFailurePolicy {
	exit := func(action batchv1.PodFailurePolicyAction, codes ...int32) batchv1.PodFailurePolicyRule {
		return batchv1.PodFailurePolicyRule{Action: action, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
			ContainerName: &container, Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: codes}}
	}
	return &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
		{Action: batchv1.PodFailurePolicyActionIgnore, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
			{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}}},
		exit(batchv1.PodFailurePolicyActionIgnore, drained),
		exit(batchv1.PodFailurePolicyActionFailJob, 1, 2),
	}}
}
