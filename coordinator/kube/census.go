package kube

import (
	"cmp"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/coordinator"
	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// stage is how far a pod's worker has come.
type stage uint8

const (
	pending  stage = iota // not bound to a node
	starting              // bound, and the worker's container has not run
	running
	ended // the worker's container has ended, or never will run
)

// member is a pod of a wave, and what the store knows of its worker.
type member struct {
	pod    *corev1.Pod
	stage  stage
	leases int
	seen   time.Duration // since the store heard of it
	gone   bool          // the store let it go: it claims nothing more
	known  bool          // to the store
}

// wave is a Job that has not ended, with its pods.
type wave struct {
	job     *batchv1.Job
	members []member
}

// want is how many workers the Job keeps up: those that left, or were let go, are
// not replaced. What is known of the Job may be newer than what is known of its
// pods.
func (w wave) want() int {
	left := 0
	for _, m := range w.members {
		if m.left() {
			left++
		}
	}
	return max(int(deref(w.job.Spec.Completions))-max(left, int(w.job.Status.Succeeded)), 0)
}

// left tells whether a worker ended well, or was let go and will.
func (m member) left() bool {
	if t := terminated(m.pod); t != nil {
		return t.ExitCode == 0 // a node tells this before it tells how the pod ended
	}
	return m.pod.Status.Phase == corev1.PodSucceeded || m.gone && m.pod.Status.Phase != corev1.PodFailed
}

// begun tells whether a worker of the Job runs, or has run and may still hold a
// lease.
func (w wave) begun() bool {
	return slices.ContainsFunc(w.members, func(m member) bool { return m.stage == running })
}

// bound tells whether a node has one of its pods.
func (w wave) bound() bool { return slices.ContainsFunc(w.members, member.bound) }

// bound tells whether a node has the pod, and it has not ended.
func (m member) bound() bool { return m.stage == starting || m.stage == running }

// census is all of a WorkQueue's workers.
type census struct {
	waves []wave   // that have not ended, oldest first
	dead  []member // that have ended and still hold leases
	ours  int      // leases
}

// newCensus puts together what the cluster and the store know. Jobs that have
// ended or are being deleted want no workers; their pods' leases still count.
func newCensus(jobs []batchv1.Job, pods []corev1.Pod, known []queue.WorkerInfo) census {
	infos := make(map[string]queue.WorkerInfo, len(known))
	for _, k := range known {
		infos[k.ID] = k
	}
	members := make(map[types.UID][]member)
	var c census
	for i := range pods {
		p := &pods[i]
		info, ok := infos[workerOf(p)]
		m := member{pod: p, stage: stageOf(p), leases: info.Leases, seen: info.Seen, gone: info.Gone, known: ok}
		c.ours += m.leases
		if terminated(p) != nil && m.leases > 0 {
			c.dead = append(c.dead, m)
		}
		if owner := makerOf(p); owner != "" {
			members[owner] = append(members[owner], m)
		}
	}
	for i := range jobs {
		if j := &jobs[i]; !finished(j) && j.DeletionTimestamp.IsZero() {
			c.waves = append(c.waves, wave{job: j, members: members[j.UID]})
		}
	}
	slices.SortFunc(c.waves, func(a, b wave) int { return cmp.Compare(waveOf(a.job), waveOf(b.job)) })
	return c
}

// each calls f for every worker that has not ended.
func (c census) each(f func(w wave, m member)) {
	for _, w := range c.waves {
		for _, m := range w.members {
			if m.stage != ended {
				f(w, m)
			}
		}
	}
}

// silence is how long the store may hear nothing of a worker that could claim: one
// with nothing to do looks for items twice as often at least.
const silence = time.Minute + 15*time.Second

// silent tells whether a worker that should claim does not: it was told to end and
// has not, or the store does not hear of it, as after its node's death. Others are
// launched in its place up to the maximum, in which it still counts, since nothing
// proves that it has ended.
func (m member) silent() bool {
	return m.bound() && m.leases == 0 && (m.pod.DeletionTimestamp != nil || m.known && m.seen > silence)
}

// lost tells whether nobody will hear of a worker again: its time to end is over,
// and neither its node nor the store knows what became of it.
func (m member) lost(now time.Time) bool {
	d := m.pod.DeletionTimestamp
	return m.bound() && m.leases == 0 && d != nil && now.Sub(d.Time) > 0 && (!m.known || m.seen > silence)
}

// lost tells whether all of the wave's workers are.
func (w wave) lost(now time.Time) bool {
	n := 0
	for _, m := range w.members {
		if m.stage != ended {
			if !m.lost(now) {
				return false
			}
			n++
		}
	}
	return n > 0 && n >= w.want()
}

// count is the census as the plan sees it, and how many workers are leaving.
func (c census) count(d queue.Depth) (n coordinator.Count, leaving int) {
	for _, w := range c.waves {
		for _, m := range w.members {
			if m.gone && m.stage != ended {
				leaving++
			} else if m.silent() {
				n.Suspect += slotsOf(w.job)
			}
		}
		live := w.want()
		n.Workers += live
		n.Slots += live * slotsOf(w.job)
	}
	n.Others = max(d.Leased-int64(c.ours), 0)
	return n, leaving
}

// status is the census for people. A pod that is not there yet is pending.
func (c census) status() workload.WorkersStatus {
	var s workload.WorkersStatus
	for _, w := range c.waves {
		s.Live += int32(w.want())
	}
	c.each(func(_ wave, m member) {
		switch {
		case m.gone:
			s.Leaving++
			return
		case m.stage == starting:
			s.Starting++
		case m.stage == running:
			s.Running++
		}
		if m.leases > 0 {
			s.Busy++
		}
	})
	s.Pending = max(s.Live-s.Starting-s.Running, 0)
	return s
}

// launchTime is how long the last workers took from the making of their pod to
// their start: the median of the pods that are still known, and 5 s if none is.
func launchTime(pods []corev1.Pod) time.Duration {
	var took []time.Duration
	for i := range pods {
		p := &pods[i]
		if s := workerStatus(p); s != nil && s.State.Running != nil {
			took = append(took, s.State.Running.StartedAt.Sub(p.CreationTimestamp.Time))
		} else if t := terminated(p); t != nil && !t.StartedAt.IsZero() {
			took = append(took, t.StartedAt.Sub(p.CreationTimestamp.Time))
		}
	}
	if len(took) == 0 {
		return 5 * time.Second
	}
	slices.Sort(took)
	return min(max(took[len(took)/2], time.Second), 5*time.Minute)
}

func stageOf(p *corev1.Pod) stage {
	s := workerStatus(p)
	switch {
	case terminated(p) != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed:
		return ended
	case s != nil && s.State.Running != nil:
		return running
	case p.Spec.NodeName != "":
		return starting
	}
	return pending
}

// workerStatus is the status of the container that is the worker.
func workerStatus(p *corev1.Pod) *corev1.ContainerStatus {
	for i := range p.Status.ContainerStatuses {
		if s := &p.Status.ContainerStatuses[i]; s.Name == p.Annotations[noteWorker] {
			return s
		}
	}
	return nil
}

// terminated is how the worker ended: the proof that it did. A pod's phase alone
// is none: a node that nobody hears of may still run what the API calls Failed.
func terminated(p *corev1.Pod) *corev1.ContainerStateTerminated {
	if s := workerStatus(p); s != nil {
		return s.State.Terminated
	}
	return nil
}

// makerOf is the uid of the Job that made a pod.
func makerOf(p *corev1.Pod) types.UID {
	for _, o := range p.OwnerReferences {
		if o.Controller != nil && *o.Controller {
			return o.UID
		}
	}
	return ""
}

func finished(j *batchv1.Job) bool {
	return slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
}

// deref is what a pointer points at, or zero.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
