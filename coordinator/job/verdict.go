package job

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// judge looks for what ends the Job, failures before successes. Completions
// are counted after it, by complete.
func (c *Controller) judge(now time.Time) {
	spec, s := c.job.Spec, c.job.Status
	fail := func(reason, message string) { c.decide(batchv1.JobFailureTarget, reason, message, now) }
	deadline, limited := c.deadline()
	switch {
	case c.verdict != nil:
	case c.failJob != "":
		fail(batchv1.JobReasonPodFailurePolicy, c.failJob)
	case s.Failed > *spec.BackoffLimit || c.restartedTooOften():
		fail(batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit")
	case limited && !now.Before(deadline):
		fail(batchv1.JobReasonDeadlineExceeded, "Job was active longer than specified deadline")
	case spec.MaxFailedIndexes != nil && c.failed.len() > int(*spec.MaxFailedIndexes):
		fail(batchv1.JobReasonMaxFailedIndexesExceeded, "Job has exceeded the specified maximal number of failed indexes")
	case len(c.failed) > 0 && c.failed.len()+c.completed.len() >= int(*spec.Completions):
		fail(batchv1.JobReasonFailedIndexes, "Job has failed indexes")
	default:
		if why, ok := matchSuccess(spec.SuccessPolicy, c.completions(), c.completed); ok {
			c.decide(batchv1.JobSuccessCriteriaMet, batchv1.JobReasonSuccessPolicy, why, now)
		}
	}
}

// decide states what the Job will end with once its pods have ended.
func (c *Controller) decide(kind batchv1.JobConditionType, reason, message string, now time.Time) {
	setCondition(c.job, kind, corev1.ConditionTrue, reason, message, now)
	c.verdict = Condition(c.job, kind).DeepCopy()
}

// finish turns the verdict into the Job's end.
func (c *Controller) finish(now time.Time) {
	kind := batchv1.JobFailed
	if c.verdict.Type == batchv1.JobSuccessCriteriaMet {
		kind = batchv1.JobComplete
		c.job.Status.CompletionTime = new(metav1.NewTime(now))
	}
	setCondition(c.job, kind, corev1.ConditionTrue, c.verdict.Reason, c.verdict.Message, now)
}

// complete tells whether there are as many successes as wanted, and nothing
// runs. A Job without completions has a queue of its own: one pod that succeeds
// says that it is empty, and the others are waited for.
func (c *Controller) complete() bool {
	want := int32(1)
	if c.job.Spec.Completions != nil {
		want = *c.job.Spec.Completions
	}
	return c.job.Status.Succeeded >= want && c.active() == 0
}

// restartedTooOften counts the restarts in place of the pods that run, for
// restartPolicy OnFailure.
func (c *Controller) restartedTooOften() bool {
	if c.job.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyOnFailure {
		return false
	}
	n := int32(0)
	for _, p := range c.live {
		n += restartsOf(p.Pod)
	}
	return n > 0 && n >= *c.job.Spec.BackoffLimit
}

func restartsOf(p *corev1.Pod) int32 {
	n := int32(0)
	for _, s := range p.Status.InitContainerStatuses {
		n += s.RestartCount
	}
	for _, s := range p.Status.ContainerStatuses {
		n += s.RestartCount
	}
	return n
}

// deadline is when the Job has run for activeDeadlineSeconds.
func (c *Controller) deadline() (at time.Time, ok bool) {
	limit, start := c.job.Spec.ActiveDeadlineSeconds, c.job.Status.StartTime
	if limit == nil || start == nil || c.suspended() {
		return time.Time{}, false
	}
	return start.Add(time.Duration(*limit) * time.Second), true
}
