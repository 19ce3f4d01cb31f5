package job

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition is a Job's condition of a type, or nil while it is not true.
func Condition(j *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i, c := range j.Status.Conditions {
		if c.Type == kind && c.Status == corev1.ConditionTrue {
			return &j.Status.Conditions[i]
		}
	}
	return nil
}

// Finished is the condition with which a Job has ended, Complete or Failed, or
// nil while it has not.
func Finished(j *batchv1.Job) *batchv1.JobCondition {
	if c := Condition(j, batchv1.JobComplete); c != nil {
		return c
	}
	return Condition(j, batchv1.JobFailed)
}

// Expires is when a Job that has finished is to be forgotten, by its
// ttlSecondsAfterFinished; ok is false while that is not known.
func Expires(j *batchv1.Job) (at time.Time, ok bool) {
	end := Finished(j)
	if end == nil || j.Spec.TTLSecondsAfterFinished == nil {
		return time.Time{}, false
	}
	return end.LastTransitionTime.Add(time.Duration(*j.Spec.TTLSecondsAfterFinished) * time.Second), true
}

// setCondition states a condition. One that never was true is not stated false.
func setCondition(j *batchv1.Job, kind batchv1.JobConditionType, status corev1.ConditionStatus, reason, message string, now time.Time) {
	c := batchv1.JobCondition{
		Type: kind, Status: status, Reason: reason, Message: message,
		LastProbeTime: metav1.NewTime(now), LastTransitionTime: metav1.NewTime(now),
	}
	for i, old := range j.Status.Conditions {
		if old.Type == kind {
			if old.Status != status {
				j.Status.Conditions[i] = c
			}
			return
		}
	}
	if status == corev1.ConditionTrue {
		j.Status.Conditions = append(j.Status.Conditions, c)
	}
}
