package workload

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/queue"
)

// workerFields are what a Job has and a worker's must not: the fields of the
// WorkQueue that take their place, and why.
var workerFields = []struct{ name, instead string }{
	{"completions", "the items say when the work is done: use spec.scaling.maxParallelism for the number of workers"},
	{"parallelism", "workers come and go with the items: use spec.scaling.minParallelism and maxParallelism"},
	{"backoffLimit", "items are tried again, not workers: use spec.itemPolicy.backoffLimit"},
	{"activeDeadlineSeconds", "it would end busy workers: use spec.itemPolicy.itemDeadlineSeconds for an item, spec.deadlineSeconds for all"},
	{"suspend", "it would end busy workers: use spec.suspend"},
	{"podFailurePolicy", "what an exit code means is said of items: use spec.itemPolicy.failExitCodes and releaseExitCodes"},
	{"podReplacementPolicy", "it is always Failed: use spec.itemPolicy.lease for when another worker takes an item over"},
	{"completionMode", "workers have no index, items have an id: use spec.source.frames"},
	{"backoffLimitPerIndex", "items are tried again, not workers: use spec.itemPolicy.backoffLimit"},
	{"maxFailedIndexes", "workers have no index: use spec.itemPolicy.backoffLimit"},
	{"selector", "its Jobs make their own: leave it out"},
	{"successPolicy", "the items say when the work is done: use spec.source"},
}

func (d *Document) checkWorkQueue(s *WorkQueueSpec) {
	d.checkMode(s)
	d.checkSource(s.Source)
	d.checkCluster(s)
	d.checkItemPolicy(&s.ItemPolicy)
	d.checkOutput()
	d.checkTemplates(s)
	d.atLeastOne(s.DeadlineSeconds, "spec.deadlineSeconds")
	low, high := s.Scaling.MinParallelism, s.Scaling.MaxParallelism
	d.atLeastOne(widen(high), "spec.scaling.maxParallelism")
	d.atLeastOne(widen(s.Scaling.ItemsPerWorker), "spec.scaling.itemsPerWorker")
	if low != nil && high != nil && *low > *high {
		d.refuse("spec.scaling.maxParallelism", "%d is out of range: minParallelism, %d, or more is allowed", *high, *low)
	}
	if s.Schedule != nil {
		d.checkCron(s.Schedule.Schedule, s.Schedule.TimeZone, "spec.schedule")
	}
	const job = "spec.jobTemplate.spec"
	for _, f := range workerFields {
		if path := join(job, f.name); d.has(path) {
			d.refuse(path, "not for a WorkQueue: %s", f.instead)
		}
	}
	const pod = job + ".template.spec"
	if p := s.JobTemplate.Spec.Template.Spec.RestartPolicy; p != "" && p != corev1.RestartPolicyNever {
		d.refuse(pod+".restartPolicy", "%s is not for a WorkQueue: Never is allowed, and spec.itemPolicy.backoffLimit says how often an item is tried again", p)
	}
	d.checkLabels(&s.JobTemplate.ObjectMeta, "spec.jobTemplate.metadata")
	d.checkTemplate(&s.JobTemplate.Spec.Template, job+".template")
}

// Queue is what the policy states of the queue; the rest is for workers.
func (p *ItemPolicy) Queue() queue.Policy {
	return queue.Policy{
		Lease: length(p.Lease), BackoffLimit: count(p.BackoffLimit),
		RetryDelay: length(p.RetryDelay), RetryDelayMax: length(p.RetryDelayMax),
		DisruptionLimit: count(p.DisruptionLimit), Retention: length(p.Retention),
	}
}

func (d *Document) checkItemPolicy(p *ItemPolicy) {
	const path = "spec.itemPolicy"
	for name, v := range map[string]*metav1.Duration{"lease": p.Lease, "retryDelay": p.RetryDelay, "retryDelayMax": p.RetryDelayMax, "retention": p.Retention} {
		if v != nil && v.Duration == 0 { // which would state nothing
			d.refuse(join(path, name), "0s is out of range: more is allowed")
		}
	}
	q := p.Queue()
	for name, one := range map[string]queue.Policy{ // one by one, since an error names one
		"lease": {Lease: q.Lease}, "backoffLimit": {BackoffLimit: q.BackoffLimit},
		"retryDelay": {RetryDelay: q.RetryDelay}, "retryDelayMax": {RetryDelayMax: q.RetryDelayMax},
		"disruptionLimit": {DisruptionLimit: q.DisruptionLimit}, "retention": {Retention: q.Retention},
	} {
		if err := one.Validate(); err != nil {
			d.refuse(join(path, name), "%s", strings.TrimPrefix(err.Error(), name+" "))
		}
	}
	d.atLeastOne(p.ItemDeadlineSeconds, path+".itemDeadlineSeconds")
	d.atLeastOne(p.StallSeconds, path+".stallSeconds")
	for name, codes := range map[string][]int32{"failExitCodes": p.FailExitCodes, "releaseExitCodes": p.ReleaseExitCodes} {
		for i, c := range codes {
			at := fmt.Sprintf("%s.%s[%d]", path, name, i)
			if c < 1 || c > 255 {
				d.refuse(at, "%d is out of range: 1 to 255 is allowed", c)
			} else if name == "releaseExitCodes" && slices.Contains(p.FailExitCodes, c) {
				d.refuse(at, "%d is one of failExitCodes already", c)
			}
		}
	}
}

// checkOutput refuses what is said of an output that there is none of.
func (d *Document) checkOutput() {
	const path = "spec.itemPolicy"
	for _, name := range []string{"minOutputBytes", "existing"} {
		if d.has(join(path, name)) && !d.has(path+".output") {
			d.refuse(join(path, name), "only with an output: say %s.output", path)
		}
	}
}

func (d *Document) atLeastOne(v *int64, path string) {
	if v != nil && *v < 1 {
		d.refuse(path, "%d is out of range: 1 or more is allowed", *v)
	}
}

func length(d *metav1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.Duration
}

func count(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}

func widen(n *int32) *int64 {
	if n == nil {
		return nil
	}
	return new(int64(*n))
}
