package job

import (
	"math"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// setDefaults fills in what an API server would.
func setDefaults(j *batchv1.Job, now time.Time) {
	if j.Namespace == "" {
		j.Namespace = metav1.NamespaceDefault
	}
	if j.UID == "" {
		j.UID = newUID()
	}
	// A manifest that was read from a cluster has a past, which is not its own.
	j.CreationTimestamp, j.DeletionTimestamp, j.Status = metav1.NewTime(now), nil, batchv1.JobStatus{}
	s := &j.Spec
	// Neither is one pod; parallelism alone is a Job with a queue of its own.
	if s.Completions == nil && s.Parallelism == nil {
		s.Completions = new(int32(1))
	}
	setDefault(&s.Parallelism, 1)
	backoffLimit := int32(6)
	if s.BackoffLimitPerIndex != nil {
		backoffLimit = math.MaxInt32
	}
	setDefault(&s.BackoffLimit, backoffLimit)
	setDefault(&s.CompletionMode, batchv1.NonIndexedCompletion)
	setDefault(&s.Suspend, false)
	replacement := batchv1.TerminatingOrFailed
	if s.PodFailurePolicy != nil {
		replacement = batchv1.Failed
	}
	setDefault(&s.PodReplacementPolicy, replacement)
	if p := s.PodFailurePolicy; p != nil {
		for i := range p.Rules {
			for k := range p.Rules[i].OnPodConditions {
				if c := &p.Rules[i].OnPodConditions[k]; c.Status == "" {
					c.Status = corev1.ConditionTrue
				}
			}
		}
	}
	setDefault(&s.Template.Spec.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)
}

func setDefault[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
