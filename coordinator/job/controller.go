package job

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Controller decides for one Job. It is not safe for concurrent use, starts no
// goroutine and reads no clock: Observe tells it what became of a pod, Sync asks
// it what to do. A decision counts as carried out.
type Controller struct {
	job   *batchv1.Job
	names map[string]bool // every pod's, so that none is given twice
	live  []*pod
	ended []*corev1.Pod

	completed indexes
	failed    indexes
	all       failures         // for replacements, unless each index counts its own
	perIndex  map[int]*attempt // of the indexes that have failed and not ended
	failJob   string           // what a FailJob rule has said
	verdict   *batchv1.JobCondition
}

// pod is one that has not ended.
type pod struct {
	*corev1.Pod
	index     int  // -1 in a Job without indexes
	discarded bool // ended by a suspension: what becomes of it counts for nothing
}

// attempt is the past of an index that is tried again.
type attempt struct {
	failures
	counted int32 // of them, against backoffLimitPerIndex
}

// New checks a Job and begins it: as an API server would it gives it defaults and
// takes away the status that it may come with. The caller's stays as it is. An
// error names all that is wrong, in one line.
func New(j *batchv1.Job, now time.Time) (*Controller, error) {
	j = j.DeepCopy()
	setDefaults(j, now)
	if err := validateJob(j); err != nil {
		return nil, err
	}
	return &Controller{job: j, names: make(map[string]bool), perIndex: make(map[int]*attempt)}, nil
}

// Job is the Job with its status as of the last Sync.
func (c *Controller) Job() *batchv1.Job { return c.job.DeepCopy() }

// Pods are the Job's pods, those that have ended first.
func (c *Controller) Pods() []*corev1.Pod {
	pods := slices.Clone(c.ended) // those change no more
	for _, p := range c.live {
		pods = append(pods, p.DeepCopy())
	}
	return pods
}

// Suspend ends the Job's pods and holds it, or lets it go on.
func (c *Controller) Suspend(on bool) { c.job.Spec.Suspend = &on }

// Delete ends the Job's pods. Nothing is started any more.
func (c *Controller) Delete(now time.Time) {
	if c.job.DeletionTimestamp == nil {
		c.job.DeletionTimestamp = new(metav1.NewTime(now))
	}
}

// Observe takes a pod's status. One that is unknown or has ended is no news.
func (c *Controller) Observe(now time.Time, name string, s corev1.PodStatus) {
	at := slices.IndexFunc(c.live, func(p *pod) bool { return p.Name == name })
	if at < 0 {
		return
	}
	p := c.live[at]
	p.Status = s
	if !ended(s.Phase) {
		return
	}
	c.live = slices.Delete(c.live, at, at+1)
	c.ended = append(c.ended, p.Pod)
	switch {
	case p.discarded:
	case s.Phase == corev1.PodSucceeded:
		c.countSuccess(p, now)
	default:
		c.countFailure(p, now)
	}
}

func ended(phase corev1.PodPhase) bool {
	return phase == corev1.PodSucceeded || phase == corev1.PodFailed
}

func (c *Controller) countSuccess(p *pod, now time.Time) {
	c.all = failures{success: now}
	if p.index < 0 {
		c.job.Status.Succeeded++
		return
	}
	delete(c.perIndex, p.index)
	c.completed = c.completed.add(p.index)
	c.job.Status.CompletedIndexes = c.completed.String()
	c.job.Status.Succeeded = int32(c.completed.len())
}

func (c *Controller) countFailure(p *pod, now time.Time) {
	c.all.failed(now) // one that is ignored delays its replacement too
	action, why := matchFailure(c.job.Spec.PodFailurePolicy, p.Pod)
	if action == batchv1.PodFailurePolicyActionFailJob && c.failJob == "" {
		c.failJob = why
	}
	counted := action != batchv1.PodFailurePolicyActionIgnore
	if counted {
		c.job.Status.Failed++
	}
	limit := c.job.Spec.BackoffLimitPerIndex
	if limit == nil || c.completed.has(p.index) {
		return
	}
	past := c.perIndex[p.index]
	if past == nil {
		past = new(attempt)
		c.perIndex[p.index] = past
	}
	past.failed(now)
	if action == batchv1.PodFailurePolicyActionFailIndex || counted && past.counted >= *limit {
		delete(c.perIndex, p.index)
		c.failed = c.failed.add(p.index)
		c.job.Status.FailedIndexes = new(c.failed.String())
		return
	}
	if counted {
		past.counted++
	}
}

// Sync decides what to do now.
func (c *Controller) Sync(now time.Time) Actions {
	var a Actions
	j := c.job
	switch {
	case Finished(j) != nil:
		a.Done = true
		return a
	case j.DeletionTimestamp != nil:
		c.end(&a, now, false)
		a.Done = len(c.live) == 0
	default:
		c.reconcile(&a, now)
	}
	c.count()
	return a
}

func (c *Controller) reconcile(a *Actions, now time.Time) {
	j := c.job
	if j.Status.StartTime == nil && !c.suspended() {
		j.Status.StartTime = new(metav1.NewTime(now))
	}
	c.judge(now)
	if c.verdict != nil { // what success makes superfluous has not failed
		c.end(a, now, c.verdict.Type == batchv1.JobSuccessCriteriaMet)
	} else {
		c.manage(a, now)
		if c.complete() {
			c.decide(batchv1.JobSuccessCriteriaMet, batchv1.JobReasonCompletionsReached, "Reached expected number of succeeded pods", now)
		} else {
			c.noteSuspension(now)
		}
	}
	switch {
	case c.verdict != nil && len(c.live) == 0:
		c.finish(now)
		a.Done, a.Next = true, time.Time{}
	case c.verdict == nil:
		if at, ok := c.deadline(); ok {
			a.soonest(at)
		}
	}
}

// count brings the numbers of pods in the status up to date.
func (c *Controller) count() {
	var active, ready, terminating int32
	for _, p := range c.live {
		if p.DeletionTimestamp != nil {
			terminating++
			continue
		}
		active++
		if podReady(p.Pod) {
			ready++
		}
	}
	s := &c.job.Status
	s.Active, s.Ready, s.Terminating = active, &ready, &terminating
}

func podReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func (c *Controller) suspended() bool { return *c.job.Spec.Suspend }

// noteSuspension states whether the Job is suspended. The time for its deadline
// begins anew when it goes on.
func (c *Controller) noteSuspension(now time.Time) {
	if c.suspended() {
		c.job.Status.StartTime = nil
		setCondition(c.job, batchv1.JobSuspended, corev1.ConditionTrue, "JobSuspended", "Job suspended", now)
		return
	}
	setCondition(c.job, batchv1.JobSuspended, corev1.ConditionFalse, "JobResumed", "Job resumed", now)
}
