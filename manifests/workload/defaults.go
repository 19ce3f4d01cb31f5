package workload

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/queue"
)

// Defaults fills in what an object leaves open and whoever runs it must know,
// with the values that an API server would write.
func Defaults(object any) {
	switch o := object.(type) {
	case *WorkQueue:
		o.Spec.defaults()
	case *batchv1.Job:
		jobDefaults(&o.Spec)
	case *batchv1.CronJob:
		set(&o.Spec.Suspend, false)
		set(&o.Spec.SuccessfulJobsHistoryLimit, 3)
		set(&o.Spec.FailedJobsHistoryLimit, 1)
		orElse(&o.Spec.ConcurrencyPolicy, batchv1.AllowConcurrent)
		jobDefaults(&o.Spec.JobTemplate.Spec)
	case *appsv1.DaemonSet:
		podDefaults(&o.Spec.Template.Spec, corev1.RestartPolicyAlways)
	case *appsv1.Deployment:
		set(&o.Spec.Replicas, 1)
		podDefaults(&o.Spec.Template.Spec, corev1.RestartPolicyAlways)
	}
}

// jobDefaults are those of batch/v1. With parallelism alone completions stay
// open: such a Job is done when one of its pods is.
func jobDefaults(s *batchv1.JobSpec) {
	if s.Completions == nil && s.Parallelism == nil {
		set(&s.Completions, 1)
	}
	set(&s.Parallelism, 1)
	set(&s.CompletionMode, batchv1.NonIndexedCompletion)
	set(&s.Suspend, false)
	if s.BackoffLimitPerIndex == nil {
		set(&s.BackoffLimit, 6)
	} else {
		set(&s.BackoffLimit, 1<<31-1)
	}
	if s.PodFailurePolicy != nil {
		set(&s.PodReplacementPolicy, batchv1.Failed)
	} else {
		set(&s.PodReplacementPolicy, batchv1.TerminatingOrFailed)
	}
	podDefaults(&s.Template.Spec, corev1.RestartPolicyAlways)
}

// podDefaults are those of a pod that decide how it is run and ended.
func podDefaults(s *corev1.PodSpec, restart corev1.RestartPolicy) {
	orElse(&s.RestartPolicy, restart)
	set(&s.TerminationGracePeriodSeconds, 30)
}

func (s *WorkQueueSpec) defaults() {
	orElse(&s.Mode, ModeQueue)
	set(&s.Suspend, false)
	q := queue.DefaultPolicy()
	p := &s.ItemPolicy
	set(&p.Lease, metav1.Duration{Duration: q.Lease})
	set(&p.BackoffLimit, int32(*q.BackoffLimit))
	set(&p.RetryDelay, metav1.Duration{Duration: q.RetryDelay})
	set(&p.RetryDelayMax, metav1.Duration{Duration: q.RetryDelayMax})
	set(&p.DisruptionLimit, int32(*q.DisruptionLimit))
	set(&p.Retention, metav1.Duration{Duration: q.Retention})
	set(&p.MinOutputBytes, 0)
	orElse(&p.Existing, ExistingFail)
	set(&s.Scaling.MinParallelism, 0)
	set(&s.Scaling.MaxParallelism, max(1, *s.Scaling.MinParallelism))
	set(&s.Scaling.ItemsPerWorker, 1)
	if from := s.Source; from != nil {
		if len(from.Files) > 0 {
			orElse(&from.Format, FormatLines)
		}
		orElse(&from.Identity, IdentityStat)
		if from.Frames != nil {
			set(&from.Frames.Chunk, 1)
		}
	}
	if c := s.Schedule; c != nil {
		set(&c.Suspend, false)
		set(&c.SuccessfulJobsHistoryLimit, 3)
		set(&c.FailedJobsHistoryLimit, 1)
		orElse(&c.ConcurrencyPolicy, batchv1.AllowConcurrent)
	}
	podDefaults(&s.JobTemplate.Spec.Template.Spec, corev1.RestartPolicyNever)
}

func set[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}

func orElse[T ~string](p *T, v T) {
	if *p == "" {
		*p = v
	}
}
