package workload_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// TestDefaultsOfAJob holds the two kinds of Job apart: with neither number it
// is one pod, with parallelism alone a work queue that one success ends.
func TestDefaultsOfAJob(t *testing.T) {
	for _, tt := range []struct {
		name                      string
		completions, parallelism  *int32
		wantCompletions, wantPods *int32
	}{
		{"neither", nil, nil, new(int32(1)), new(int32(1))},
		{"completions", new(int32(5)), nil, new(int32(5)), new(int32(1))},
		{"parallelism", nil, new(int32(3)), nil, new(int32(3))},
		{"none at all", nil, new(int32(0)), nil, new(int32(0))},
	} {
		job := &batchv1.Job{Spec: batchv1.JobSpec{Completions: tt.completions, Parallelism: tt.parallelism}}
		workload.Defaults(job)
		if d := cmp.Diff(tt.wantCompletions, job.Spec.Completions); d != "" {
			t.Errorf("%s: completions %s", tt.name, d)
		}
		if d := cmp.Diff(tt.wantPods, job.Spec.Parallelism); d != "" {
			t.Errorf("%s: parallelism %s", tt.name, d)
		}
		if *job.Spec.BackoffLimit != 6 || *job.Spec.CompletionMode != batchv1.NonIndexedCompletion || *job.Spec.Suspend {
			t.Errorf("%s: %+v", tt.name, job.Spec)
		}
	}
}

func TestDefaultsOfACronJob(t *testing.T) {
	c := &batchv1.CronJob{Spec: batchv1.CronJobSpec{FailedJobsHistoryLimit: new(int32(0))}}
	workload.Defaults(c)
	if *c.Spec.SuccessfulJobsHistoryLimit != 3 || *c.Spec.FailedJobsHistoryLimit != 0 {
		t.Errorf("history limits %d and %d, want 3 and what was said, 0", *c.Spec.SuccessfulJobsHistoryLimit, *c.Spec.FailedJobsHistoryLimit)
	}
	if c.Spec.ConcurrencyPolicy != batchv1.AllowConcurrent || *c.Spec.Suspend || *c.Spec.JobTemplate.Spec.BackoffLimit != 6 {
		t.Errorf("%+v", c.Spec)
	}
}

func TestDefaultsOfAWorkQueue(t *testing.T) {
	q := &workload.WorkQueue{Spec: workload.WorkQueueSpec{
		Source:   &workload.Source{Frames: &workload.Frames{Range: "1-9"}},
		Scaling:  workload.Scaling{MinParallelism: new(int32(4))},
		Schedule: &workload.Schedule{Schedule: "@daily"},
	}}
	workload.Defaults(q)
	if d := cmp.Diff(queue.DefaultPolicy(), q.Spec.ItemPolicy.Queue()); d != "" {
		t.Errorf("another policy than a queue's own: %s", d)
	}
	want := workload.Scaling{MinParallelism: new(int32(4)), MaxParallelism: new(int32(4)), ItemsPerWorker: new(int32(1))}
	if d := cmp.Diff(want, q.Spec.Scaling); d != "" {
		t.Error(d)
	}
	s := q.Spec
	if *s.Source.Frames.Chunk != 1 || *s.Suspend || s.ItemPolicy.Existing != workload.ExistingFail ||
		*s.Schedule.SuccessfulJobsHistoryLimit != 3 || *s.Schedule.FailedJobsHistoryLimit != 1 ||
		s.JobTemplate.Spec.Template.Spec.RestartPolicy != "Never" {
		t.Errorf("%+v", s)
	}
	if s.JobTemplate.Spec.BackoffLimit != nil {
		t.Error("a worker's Job is not the WorkQueue's to limit")
	}
}

// TestQueueStatesWhatIsWritten and nothing else.
func TestQueueStatesWhatIsWritten(t *testing.T) {
	p := workload.ItemPolicy{Lease: &metav1.Duration{Duration: time.Minute}, BackoffLimit: new(int32(0))}
	want := queue.Policy{Lease: time.Minute, BackoffLimit: new(0)}
	if d := cmp.Diff(want, p.Queue()); d != "" {
		t.Error(d)
	}
}
