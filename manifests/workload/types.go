package workload

import (
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WorkQueue is a queue of items, where they come from, and the workers that do
// them.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wq
// +kubebuilder:printcolumn:name=Ready,type=integer,JSONPath=`.status.depth.ready`
// +kubebuilder:printcolumn:name=Leased,type=integer,JSONPath=`.status.depth.leased`
// +kubebuilder:printcolumn:name=Delayed,type=integer,JSONPath=`.status.depth.delayed`
// +kubebuilder:printcolumn:name=Dead,type=integer,JSONPath=`.status.depth.dead`
// +kubebuilder:printcolumn:name=Workers,type=integer,JSONPath=`.status.workers.live`
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 52",message="metadata.name: at most 52 letters are allowed, since its Jobs have a suffix"
// +kubebuilder:object:generate=true
type WorkQueue struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec WorkQueueSpec `json:"spec"`

	// Status is what a coordinator has seen and done. Nobody else writes it.
	// +optional
	Status WorkQueueStatus `json:"status,omitzero"`
}

// WorkQueueSpec is what a person asks of a WorkQueue.
//
// +kubebuilder:validation:XValidation:rule="(has(self.mode) && self.mode == 'PerNode') == (has(oldSelf.mode) && oldSelf.mode == 'PerNode')",message="mode cannot be changed: its workers would be those of the other mode still: make another WorkQueue"
// +kubebuilder:validation:XValidation:rule="!has(self.mode) || self.mode != 'PerNode' || !has(self.scaling) && !has(self.source) && !has(self.after) && !has(self.schedule) && !has(self.deadlineSeconds)",message="mode PerNode has one worker on each node that jobTemplate allows, and no source: scaling, source, after, schedule and deadlineSeconds are not for it: use nodeSelector and tolerations, and 'sluice enqueue --each-node'"
// +kubebuilder:object:generate=true
type WorkQueueSpec struct {
	// Mode is who works on the items: Queue, workers that come and go with
	// them, or PerNode, one worker on each node that JobTemplate's pod may be
	// on, as a DaemonSet, for as long as the node is there. PerNode is not for
	// Scaling, nor for Source and what is said of it. It cannot be changed.
	// Default Queue.
	Mode Mode `json:"mode,omitempty"`

	// Source is where the items come from. Default: others enqueue them.
	Source *Source `json:"source,omitempty"`

	// Queue is the name of the queue in its store. Default: metadata.name.
	Queue string `json:"queue,omitempty"`

	// Store is where a cluster's coordinator and workers find the queue; a run
	// on one machine has a store of its own. Default: key url of the Secret
	// sluice-store of the WorkQueue's namespace.
	Store *Store `json:"store,omitempty"`

	// After names a WorkQueue of the same files: its batch must be Complete
	// before an item of this one is ready. Where that one has a schedule, a
	// batch of this one follows each of its batches. Default: nothing is
	// waited for.
	After string `json:"after,omitempty"`

	// Suspend holds back the items; those at work are finished. Default false.
	Suspend *bool `json:"suspend,omitempty"`

	// DeadlineSeconds after the batch was made, what is unfinished is
	// cancelled. At least 1; default: no limit.
	// +kubebuilder:validation:Minimum=1
	DeadlineSeconds *int64 `json:"deadlineSeconds,omitempty"`

	// ItemPolicy is how each item is treated.
	ItemPolicy ItemPolicy `json:"itemPolicy,omitzero"`

	// Scaling is how many workers there may be.
	Scaling Scaling `json:"scaling,omitzero"`

	// Schedule makes a new batch of the source at set times. Not with After.
	// Default: one batch, at once.
	Schedule *Schedule `json:"schedule,omitempty"`

	// JobTemplate is a worker. Its spec leaves to the WorkQueue how many run,
	// what is tried again and when it ends: see workerFields. restartPolicy
	// is Never, also when it is not said; with mode PerNode that becomes
	// Always, which is a DaemonSet's.
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.completions)",message="spec.completions is not for a WorkQueue: the items say when the work is done: use spec.scaling.maxParallelism for the number of workers"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.parallelism)",message="spec.parallelism is not for a WorkQueue: workers come and go with the items: use spec.scaling.minParallelism and maxParallelism"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.backoffLimit)",message="spec.backoffLimit is not for a WorkQueue: items are tried again, not workers: use spec.itemPolicy.backoffLimit"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.activeDeadlineSeconds)",message="spec.activeDeadlineSeconds is not for a WorkQueue: it would end busy workers: use spec.itemPolicy.itemDeadlineSeconds for an item, spec.deadlineSeconds for all"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.suspend)",message="spec.suspend is not for a WorkQueue: it would end busy workers: use spec.suspend"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.podFailurePolicy)",message="spec.podFailurePolicy is not for a WorkQueue: what an exit code means is said of items: use spec.itemPolicy.failExitCodes and releaseExitCodes"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.podReplacementPolicy)",message="spec.podReplacementPolicy is not for a WorkQueue: it is always Failed: use spec.itemPolicy.lease for when another worker takes an item over"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.completionMode)",message="spec.completionMode is not for a WorkQueue: workers have no index, items have an id: use spec.source.frames"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.backoffLimitPerIndex)",message="spec.backoffLimitPerIndex is not for a WorkQueue: items are tried again, not workers: use spec.itemPolicy.backoffLimit"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.maxFailedIndexes)",message="spec.maxFailedIndexes is not for a WorkQueue: workers have no index: use spec.itemPolicy.backoffLimit"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.selector)",message="spec.selector is not for a WorkQueue: its Jobs make their own: leave it out"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.successPolicy)",message="spec.successPolicy is not for a WorkQueue: the items say when the work is done: use spec.source"
	// +kubebuilder:validation:XValidation:rule="!has(self.spec) || !has(self.spec.template.spec) || !has(self.spec.template.spec.restartPolicy) || self.spec.template.spec.restartPolicy == 'Never'",message="spec.template.spec.restartPolicy: Never is allowed, and itemPolicy.backoffLimit says how often an item is tried again"
	JobTemplate batchv1.JobTemplateSpec `json:"jobTemplate"`
}

// ItemPolicy is how each item is treated. A time has its unit, such as 90s or
// 5m, unless its name says that it is in seconds.
//
// +kubebuilder:object:generate=true
type ItemPolicy struct {
	// Lease is how long a worker has an item for, unless it renews.
	// 1s to 24h; default 30s.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="1s to 24h is allowed"
	Lease *metav1.Duration `json:"lease,omitempty"`

	// BackoffLimit is how often an item that fails is tried again.
	// 0 to 1000000; default 6, so 7 attempts.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	BackoffLimit *int32 `json:"backoffLimit,omitempty"`

	// RetryDelay is before the first retry, doubled for each further one.
	// 1ms to 24h; default 10s.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1ms') && duration(self) <= duration('24h')",message="1ms to 24h is allowed"
	RetryDelay *metav1.Duration `json:"retryDelay,omitempty"`

	// RetryDelayMax is the most that a retry waits. 1ms to 24h; default 6m.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1ms') && duration(self) <= duration('24h')",message="1ms to 24h is allowed"
	RetryDelayMax *metav1.Duration `json:"retryDelayMax,omitempty"`

	// DisruptionLimit is how often an item may be given back unharmed.
	// 0 to 1000000; default 20.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	DisruptionLimit *int32 `json:"disruptionLimit,omitempty"`

	// Retention is how long a done item is remembered. 1m to 8760h; default
	// 168h.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('8760h')",message="1m to 8760h is allowed"
	Retention *metav1.Duration `json:"retention,omitempty"`

	// ItemDeadlineSeconds ends an attempt that runs longer; it has failed. At
	// least 1; default: no limit.
	// +kubebuilder:validation:Minimum=1
	ItemDeadlineSeconds *int64 `json:"itemDeadlineSeconds,omitempty"`

	// StallSeconds ends an attempt that prints nothing for this long; it has
	// failed. At least 1; default: no limit.
	// +kubebuilder:validation:Minimum=1
	StallSeconds *int64 `json:"stallSeconds,omitempty"`

	// FailExitCodes make an item dead at once. 1 to 255 each; default none.
	// +kubebuilder:validation:MaxItems=255
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=255
	FailExitCodes []int32 `json:"failExitCodes,omitempty"`

	// ReleaseExitCodes say "not now": the item comes back later and no attempt
	// is counted. 1 to 255 each, none of FailExitCodes; default none.
	// +kubebuilder:validation:MaxItems=255
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=255
	ReleaseExitCodes []int32 `json:"releaseExitCodes,omitempty"`

	// Output is the pattern of the path that an item publishes, such as
	// out/{/.}.ogg. Items that others enqueue may have one of their own, which
	// goes first. Default: nothing else is published.
	Output string `json:"output,omitempty"`

	// MinOutputBytes makes a smaller output a failed attempt; an empty one
	// always is. Wants Output; default 0.
	// +kubebuilder:validation:Minimum=0
	MinOutputBytes *int64 `json:"minOutputBytes,omitempty"`

	// Existing is what to do about an output that is there already: fail, skip
	// or replace. Wants Output; default fail.
	Existing Existing `json:"existing,omitempty"`
}

// Existing is what to do about an output that is there already.
//
// +kubebuilder:validation:Enum=fail;skip;replace
type Existing string

// The values of Existing.
const (
	ExistingFail    Existing = "fail"    // nothing starts
	ExistingSkip    Existing = "skip"    // its item is passed over
	ExistingReplace Existing = "replace" // the new one takes its place
)

// Scaling is how many workers there may be.
//
// +kubebuilder:validation:XValidation:rule="!has(self.minParallelism) || !has(self.maxParallelism) || self.minParallelism <= self.maxParallelism",message="maxParallelism must not be less than minParallelism"
// +kubebuilder:object:generate=true
type Scaling struct {
	// MinParallelism is how many workers there are though nothing is ready. At
	// least 0; default 0.
	// +kubebuilder:validation:Minimum=0
	MinParallelism *int32 `json:"minParallelism,omitempty"`

	// MaxParallelism is the most workers at once. At least 1 and
	// MinParallelism; default 1, or MinParallelism if that is more.
	// +kubebuilder:validation:Minimum=1
	MaxParallelism *int32 `json:"maxParallelism,omitempty"`

	// ItemsPerWorker is how many items a worker is there for, at once or one
	// after another: so many ready ones make one more worth starting, and all
	// but one of them may wait behind one that takes long. At least 1;
	// default 1; a worker with more slots than that counts them all.
	// +kubebuilder:validation:Minimum=1
	ItemsPerWorker *int32 `json:"itemsPerWorker,omitempty"`
}

// Source is where items come from: exactly one of Files, Glob, Frames, List and
// Args. They are what the command line has as --items, --jsonl and --csv, --glob,
// --frames, ::: and --arg.
//
// +kubebuilder:object:generate=true
type Source struct {
	// Files have an item a line, or what Format says. Relative paths start
	// where sluice runs.
	Files []string `json:"files,omitempty"`

	// Format is what Files hold: Lines, JSONLines or CSV. Wants Files; default
	// Lines.
	Format Format `json:"format,omitempty"`

	// Glob is the pattern of the files that are the items; ** stands for any
	// folders.
	Glob string `json:"glob,omitempty"`

	// Frames are the frames of a film, some to an item.
	Frames *Frames `json:"frames,omitempty"`

	// List has the items themselves.
	List []string `json:"list,omitempty"`

	// Args makes an item of every combination of the values, the last
	// argument's varying fastest.
	Args []Arg `json:"args,omitempty"`

	// Input is the field that names an item's input file, for JSONLines, CSV
	// and Args. Default: none does; without fields the item itself may.
	Input string `json:"input,omitempty"`

	// Identity is what makes an input file the same: its path, size, time and
	// inode, Stat, or its path and Content. Default Stat.
	Identity Identity `json:"identity,omitempty"`
}

// Identity is what makes an input file the same.
type Identity string

// The values of Identity.
const (
	IdentityStat    Identity = "Stat"
	IdentityContent Identity = "Content"
)

// Format is what the files of a source hold.
type Format string

// The values of Format.
const (
	FormatLines     Format = "Lines"     // an item a line
	FormatJSONLines Format = "JSONLines" // a JSON object a line, whose members are the item's fields
	FormatCSV       Format = "CSV"       // a table, whose first row names the fields
)

// Frames are frames by their numbers. An item has the fields start and end, its
// first frame and its last, frame, which is start, and step.
//
// +kubebuilder:object:generate=true
type Frames struct {
	// Range is such as 1-240, 1-240x2 or 1-100,300-310: frames and ranges, with
	// a step after the x. Up to 1000000000 frames. Required.
	Range string `json:"range"`

	// Chunk is how many frames an item has at the most, for commands that take
	// long to start. At least 1; default 1.
	Chunk *int32 `json:"chunk,omitempty"`

	// Pad is how many digits a number has at the least, filled up with zeros
	// as in names of files. 1 to 20; default: no more than it needs.
	Pad *int32 `json:"pad,omitempty"`
}

// Arg is one argument of a sweep.
//
// +kubebuilder:object:generate=true
type Arg struct {
	Name   string   `json:"name"` // {NAME} in a command; letters, digits, _ and -
	Values []string `json:"values"`
}

// Schedule has a CronJob's fields, and they mean what they mean there.
//
// +kubebuilder:object:generate=true
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
