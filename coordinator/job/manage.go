package job

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// manage keeps as many pods active as the Job asks for.
func (c *Controller) manage(a *Actions, now time.Time) {
	if c.suspended() {
		c.end(a, now, true)
		return
	}
	missing := c.wanted() - c.active()
	if *c.job.Spec.PodReplacementPolicy == batchv1.Failed {
		missing -= c.terminating()
	}
	if missing <= 0 {
		return
	}
	if c.job.Spec.BackoffLimitPerIndex == nil {
		if at := c.all.until(); now.Before(at) {
			a.soonest(at)
			return
		}
	}
	if !c.indexed() {
		for range missing {
			a.Start = append(a.Start, c.start(-1, now))
		}
		return
	}
	for _, i := range c.pending(missing) {
		if past := c.perIndex[i]; past != nil && now.Before(past.until()) {
			a.soonest(past.until())
			continue
		}
		a.Start = append(a.Start, c.start(i, now))
	}
}

// wanted is how many pods should be active.
func (c *Controller) wanted() int {
	spec := c.job.Spec
	switch {
	case spec.Completions != nil:
		return int(max(0, min(*spec.Parallelism, *spec.Completions-c.job.Status.Succeeded)))
	case c.job.Status.Succeeded > 0:
		return c.active() // nobody is replaced once one has found the queue empty
	}
	return int(*spec.Parallelism)
}

func (c *Controller) active() int { return len(c.live) - c.terminating() }

func (c *Controller) terminating() int {
	n := 0
	for _, p := range c.live {
		if p.DeletionTimestamp != nil {
			n++
		}
	}
	return n
}

// pending are the first n indexes that have neither ended nor a pod.
func (c *Controller) pending(n int) []int {
	taken := make(map[int]bool)
	for _, p := range c.live {
		if p.DeletionTimestamp == nil || *c.job.Spec.PodReplacementPolicy == batchv1.Failed {
			taken[p.index] = true
		}
	}
	var list []int
	for i := 0; i < c.completions() && len(list) < n; {
		if next := c.failed.after(c.completed.after(i)); next > i {
			i = next
			continue
		}
		if !taken[i] {
			list = append(list, i)
		}
		i++
	}
	return list
}

func (c *Controller) start(index int, now time.Time) *corev1.Pod {
	p := newPod(c.job, index, now, c.names)
	if past := c.perIndex[index]; past != nil {
		noteFailures(p, *past)
	}
	c.names[p.Name] = true
	c.live = append(c.live, &pod{Pod: p, index: index})
	return p.DeepCopy()
}

// end tells all pods to end that have not been told before.
func (c *Controller) end(a *Actions, now time.Time, discard bool) {
	for _, p := range c.live {
		if p.DeletionTimestamp != nil {
			continue
		}
		p.DeletionTimestamp = new(metav1.NewTime(now))
		p.DeletionGracePeriodSeconds = p.Spec.TerminationGracePeriodSeconds
		p.discarded = discard
		a.End = append(a.End, p.Name)
	}
}

func (c *Controller) indexed() bool {
	return *c.job.Spec.CompletionMode == batchv1.IndexedCompletion
}

func (c *Controller) completions() int {
	if c.job.Spec.Completions == nil {
		return 0
	}
	return int(*c.job.Spec.Completions)
}
