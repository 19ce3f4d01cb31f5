package kube_test

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
)

// jobs are all of testdata/jobs and how the real controller ends each.
var jobs = []struct {
	name              string
	kind              batchv1.JobConditionType
	reason            string
	succeeded, failed int32
	pods, atOnce      int // pods ever, and at once
}{
	{"complete", batchv1.JobComplete, batchv1.JobReasonCompletionsReached, 1, 0, 1, 1},
	{"two-at-once", batchv1.JobComplete, batchv1.JobReasonCompletionsReached, 8, 0, 8, 2},
	{"one-by-one", batchv1.JobComplete, batchv1.JobReasonCompletionsReached, 3, 0, 3, 1},
	{"queue", batchv1.JobComplete, batchv1.JobReasonCompletionsReached, 3, 0, 3, 3},
	{"backoff-limit", batchv1.JobFailed, batchv1.JobReasonBackoffLimitExceeded, 0, 2, 2, 1},
	{"deadline", batchv1.JobFailed, batchv1.JobReasonDeadlineExceeded, 0, 2, 2, 2},
	{"never", batchv1.JobComplete, batchv1.JobReasonCompletionsReached, 1, 1, 2, 1},
	{"on-failure", batchv1.JobComplete, batchv1.JobReasonCompletionsReached, 1, 0, 1, 1},
	{"on-failure-limit", batchv1.JobFailed, batchv1.JobReasonBackoffLimitExceeded, 0, 1, 1, 1},
	{"indexed", batchv1.JobComplete, batchv1.JobReasonCompletionsReached, 3, 0, 3, 3},
	{"index-limit", batchv1.JobFailed, batchv1.JobReasonFailedIndexes, 2, 1, 3, 3},
	{"success-policy", batchv1.JobComplete, batchv1.JobReasonSuccessPolicy, 1, 0, 2, 2},
	{"fail-job", batchv1.JobFailed, batchv1.JobReasonPodFailurePolicy, 0, 1, 1, 1},
	{"ignore", batchv1.JobComplete, batchv1.JobReasonCompletionsReached, 1, 0, 2, 1},
	{"environment", batchv1.JobComplete, batchv1.JobReasonCompletionsReached, 1, 0, 1, 1},
	{"init-fails", batchv1.JobFailed, batchv1.JobReasonBackoffLimitExceeded, 0, 1, 1, 1},
	{"no-command", batchv1.JobFailed, batchv1.JobReasonBackoffLimitExceeded, 0, 1, 1, 1},
}

func TestRealControllersEndJobs(t *testing.T) {
	t.Parallel()
	for _, want := range jobs {
		t.Run(want.name, func(t *testing.T) {
			t.Parallel()
			tr := runJob(t, want.name)
			tr.ended(t, want.kind, want.reason, want.succeeded, want.failed)
			if pods := tr.pods.pods(); len(pods) != want.pods {
				t.Errorf("%d pods, want %d", len(pods), want.pods)
			}
			if most := tr.pods.mostAtOnce(); most != want.atOnce {
				t.Errorf("%d pods at once, want %d", most, want.atOnce)
			}
		})
	}
}
