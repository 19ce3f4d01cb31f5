package kube

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// The conditions of a WorkQueue.
const (
	// Accepted is False when something in the spec keeps workers from being
	// made of it; the message has every fault.
	Accepted = "Accepted"
	// StoreReachable is False while the queue cannot be read: nothing is
	// launched on an unknown number.
	StoreReachable = "StoreReachable"
	// Enqueued is True once the items of spec.source are in the queue.
	Enqueued = "Enqueued"
	// Scaling is False while further launches are held back; the message says
	// by what.
	Scaling = "Scaling"
	// Scheduled is True while a CronJob keeps spec.schedule, and not there
	// without one.
	Scheduled = "Scheduled"
	// Disturbed is True for a quarter of an hour after a worker ended that
	// nobody let go; the message says how many did, and of what.
	Disturbed = "Disturbed"
	// Complete is True when every item of spec.source is done.
	Complete = "Complete"
	// Nodes is False while the queue of a node that is gone is kept, and has
	// items that were cancelled for it. Only with mode PerNode.
	Nodes = "Nodes"
)

const (
	maxDecisions = 10
	// statusEvery is how often numbers alone are written down.
	statusEvery = 5 * time.Second
	maxMessage  = 1024
)

func condition(w *workload.WorkQueue, kind string, status metav1.ConditionStatus, reason, message string) {
	if len(message) > maxMessage {
		message = message[:maxMessage-3] + "..."
	}
	meta.SetStatusCondition(&w.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: w.Generation,
	})
}

// decided puts a decision in front of the others. The same one again, with other
// numbers, takes the place of the one before.
func decided(w *workload.WorkQueue, did, rule string, now time.Time) {
	d := workload.DecisionStatus{Time: metav1.NewTime(now), Did: did, Rule: rule}
	s := &w.Status
	if len(s.Decisions) > 0 && s.Decisions[0].Did == did && did == waited {
		s.Decisions = s.Decisions[1:]
	}
	s.Decisions = append([]workload.DecisionStatus{d}, s.Decisions...)
	s.Decisions = s.Decisions[:min(len(s.Decisions), maxDecisions)]
}

// newDecisions are those of a status that it did not have before, without what
// only says that nothing was done.
func newDecisions(before, now *workload.WorkQueueStatus) (did []workload.DecisionStatus) {
	for _, d := range now.Decisions {
		if d.Did != waited && !has(before, d) {
			did = append(did, d)
		}
	}
	return did
}

// recall puts the decisions in front that an earlier look could not write down.
func (l *look) recall() {
	s := &l.w.Status
	for _, d := range slices.Backward(l.unsaid) {
		if !has(s, d) {
			s.Decisions = append([]workload.DecisionStatus{d}, s.Decisions...)
		}
	}
	s.Decisions = s.Decisions[:min(len(s.Decisions), maxDecisions)]
}

// has tells whether a status has a decision, of which an API server keeps the
// second.
func has(s *workload.WorkQueueStatus, d workload.DecisionStatus) bool {
	return slices.ContainsFunc(s.Decisions, func(o workload.DecisionStatus) bool {
		return o.Did == d.Did && o.Rule == d.Rule && o.Time.Unix() == d.Time.Unix()
	})
}

// waited is what was done when nothing was.
const waited = "nothing"

func depthStatus(d queue.Depth) *workload.DepthStatus {
	return &workload.DepthStatus{
		Blocked: d.Blocked, Delayed: d.Delayed, Ready: d.Ready, Leased: d.Leased,
		Done: d.Done, Dead: d.Dead, Cancelled: d.Cancelled, Held: d.Held,
	}
}

// worth tells whether a status is to be written now: what is more than numbers
// at once, numbers when they have settled or every few seconds.
func worth(old, now *workload.WorkQueueStatus, since time.Duration) bool {
	if equality.Semantic.DeepEqual(old, now) {
		return false
	}
	return since >= statusEvery || !equality.Semantic.DeepEqual(plain(old), plain(now))
}

// plain is a status without what changes with every item.
func plain(s *workload.WorkQueueStatus) *workload.WorkQueueStatus {
	p := s.DeepCopy()
	p.Depth = nil
	p.Workers = workload.WorkersStatus{Live: p.Workers.Live}
	if len(p.Decisions) > 0 && p.Decisions[0].Did == waited {
		p.Decisions = p.Decisions[1:]
	}
	return p
}
