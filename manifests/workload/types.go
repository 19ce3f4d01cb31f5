package workload

import (
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WorkQueue is a queue of items, where they come from, and the workers that do
// them.
type WorkQueue struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec WorkQueueSpec `json:"spec"`
}

// WorkQueueSpec is what a person asks of a WorkQueue.
type WorkQueueSpec struct {
	// Source is where the items come from. Required.
	Source Source `json:"source"`

	// After names a WorkQueue of the same files: its batch must be Complete
	// before an item of this one is ready. Default: nothing is waited for.
	After string `json:"after,omitempty"`

	// Suspend holds back the items; those at work are finished. Default false.
	Suspend *bool `json:"suspend,omitempty"`

	// DeadlineSeconds after the batch was made, what is unfinished is
	// cancelled. At least 1; default: no limit.
	DeadlineSeconds *int64 `json:"deadlineSeconds,omitempty"`

	// ItemPolicy is how each item is treated.
	ItemPolicy ItemPolicy `json:"itemPolicy,omitzero"`

	// Scaling is how many workers there may be.
	Scaling Scaling `json:"scaling,omitzero"`

	// Schedule makes a new batch of the source at set times. Default: one
	// batch, at once.
	Schedule *Schedule `json:"schedule,omitempty"`

	// JobTemplate is a worker. Its spec leaves to the WorkQueue how many run,
	// what is tried again and when it ends: see workerFields. restartPolicy
	// is Never, also when it is not said.
	JobTemplate batchv1.JobTemplateSpec `json:"jobTemplate"`
}

// ItemPolicy is how each item is treated. A time has its unit, such as 90s or
// 5m, unless its name says that it is in seconds.
type ItemPolicy struct {
	// Lease is how long a worker has an item for, unless it renews.
	// 1s to 24h; default 30s.
	Lease *metav1.Duration `json:"lease,omitempty"`

	// BackoffLimit is how often an item that fails is tried again.
	// 0 to 1000000; default 6, so 7 attempts.
	BackoffLimit *int32 `json:"backoffLimit,omitempty"`

	// RetryDelay is before the first retry, doubled for each further one.
	// 1ms to 24h; default 10s.
	RetryDelay *metav1.Duration `json:"retryDelay,omitempty"`

	// RetryDelayMax is the most that a retry waits. 1ms to 24h; default 6m.
	RetryDelayMax *metav1.Duration `json:"retryDelayMax,omitempty"`

	// DisruptionLimit is how often an item may be given back unharmed.
	// 0 to 1000000; default 20.
	DisruptionLimit *int32 `json:"disruptionLimit,omitempty"`

	// Retention is how long a done item is remembered. 1m to 8760h; default
	// 168h.
	Retention *metav1.Duration `json:"retention,omitempty"`

	// ItemDeadlineSeconds ends an attempt that runs longer; it has failed. At
	// least 1; default: no limit.
	ItemDeadlineSeconds *int64 `json:"itemDeadlineSeconds,omitempty"`

	// StallSeconds ends an attempt that prints nothing for this long; it has
	// failed. At least 1; default: no limit.
	StallSeconds *int64 `json:"stallSeconds,omitempty"`

	// FailExitCodes make an item dead at once. 1 to 255 each; default none.
	FailExitCodes []int32 `json:"failExitCodes,omitempty"`

	// ReleaseExitCodes say "not now": the item comes back later and no attempt
	// is counted. 1 to 255 each, none of FailExitCodes; default none.
	ReleaseExitCodes []int32 `json:"releaseExitCodes,omitempty"`

	// Output is the pattern of the path that an item publishes, such as
	// out/{/.}.ogg. Default: nothing is published.
	Output string `json:"output,omitempty"`

	// MinOutputBytes makes a smaller output a failed attempt; an empty one
	// always is. Wants Output; default 0.
	MinOutputBytes *int64 `json:"minOutputBytes,omitempty"`

	// Existing is what to do about an output that is there already: fail, skip
	// or replace. Wants Output; default fail.
	Existing Existing `json:"existing,omitempty"`
}

// Existing is what to do about an output that is there already.
type Existing string

// The values of Existing.
const (
	ExistingFail    Existing = "fail"    // nothing starts
	ExistingSkip    Existing = "skip"    // its item is passed over
	ExistingReplace Existing = "replace" // the new one takes its place
)

// Scaling is how many workers there may be.
type Scaling struct {
	// MinParallelism is how many workers there are though nothing is ready. At
	// least 0; default 0.
	MinParallelism *int32 `json:"minParallelism,omitempty"`

	// MaxParallelism is the most workers at once. At least 1 and
	// MinParallelism; default 1, or MinParallelism if that is more.
	MaxParallelism *int32 `json:"maxParallelism,omitempty"`

	// ItemsPerWorker is how many ready items make one more worker worth
	// starting. At least 1; default 1.
	ItemsPerWorker *int32 `json:"itemsPerWorker,omitempty"`
}

// Source is where items come from: exactly one of its fields.
type Source struct {
	// Files have an item a line.
	Files []string `json:"files,omitempty"`

	// Glob is the pattern of the files that are the items; ** stands for any
	// folders.
	Glob string `json:"glob,omitempty"`

	// Frames is a range of numbers, an item each.
	Frames *Frames `json:"frames,omitempty"`

	// List has the items themselves.
	List []string `json:"list,omitempty"`

	// Args makes an item of every combination of the values, the last
	// argument's varying fastest.
	Args []Arg `json:"args,omitempty"`
}

// Frames are the numbers from First to Last, every Step-th of them.
type Frames struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"` // included; not below First

	// Step is at least 1; default 1.
	Step *int64 `json:"step,omitempty"`
}

// Arg is one argument of a sweep.
type Arg struct {
	Name   string   `json:"name"` // {NAME} in a command; letters, digits and _
	Values []string `json:"values"`
}

// Schedule has a CronJob's fields, and they mean what they mean there.
type Schedule struct {
	// Schedule is a cron line of five fields, or @hourly and the like.
	// Required.
	Schedule string `json:"schedule"`

	// TimeZone is a name of the IANA's list, such as Europe/Berlin. Default:
	// that of whoever keeps the schedule.
	TimeZone *string `json:"timeZone,omitempty"`

	// ConcurrencyPolicy is what to do when the last batch is still at work:
	// Allow, Forbid or Replace. Default Allow.
	ConcurrencyPolicy batchv1.ConcurrencyPolicy `json:"concurrencyPolicy,omitempty"`

	// StartingDeadlineSeconds is how late a batch may still be made. At least
	// 0; default: no limit.
	StartingDeadlineSeconds *int64 `json:"startingDeadlineSeconds,omitempty"`

	// Suspend makes no new batches; those there are go on. Default false.
	Suspend *bool `json:"suspend,omitempty"`

	// SuccessfulJobsHistoryLimit is how many Complete batches are kept. At
	// least 0; default 3.
	SuccessfulJobsHistoryLimit *int32 `json:"successfulJobsHistoryLimit,omitempty"`

	// FailedJobsHistoryLimit is how many Failed batches are kept. At least 0;
	// default 1.
	FailedJobsHistoryLimit *int32 `json:"failedJobsHistoryLimit,omitempty"`
}
