package kube

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// namedWithin is how long a pod's status has to tell how a worker ended that the
// store knows to have been started again.
const namedWithin = 5 * time.Second

// roll is who works on a queue.
type roll struct {
	q     *queue.Queue
	known []queue.WorkerInfo
}

// buryRestarted expires the leases that incarnations of nodes' workers hold which
// have proven dead, in all queues of theirs that are told, and tells when to look
// again.
func (l *look) buryRestarted(ctx context.Context, rolls []roll) time.Duration {
	proof := l.prove(rolls)
	unnamed := make(map[workload.Incarnation]time.Time)
	next := time.Duration(math.MaxInt64)
	for _, r := range rolls {
		for n := range r.known {
			k := &r.known[n]
			i, ok := workload.IncarnationOf(k.ID)
			if !ok || k.Leases == 0 || !proof.dead(i) {
				continue
			}
			who, f := i.ID, queue.Failure{Cause: queue.CauseLeaseExpired, Message: fmt.Sprintf("its worker, %s, has ended and was started again", i.ID)}
			if p := proof.ends[i]; p != nil {
				who, f = p.Name, failureOf(p)
			} else {
				since, ok := l.unnamed[i]
				if !ok {
					since = l.at
				}
				unnamed[i] = since
				if wait := namedWithin - l.at.Sub(since); wait > 0 {
					next = min(next, wait)
					continue
				}
			}
			if l.expire(ctx, r.q, k.ID, who, f) {
				k.Leases = 0
			}
		}
	}
	l.unnamed = unnamed
	return next
}

// proofs are what is known of the ends of incarnations.
//
// A status and a list of the store may each be older than the other, so neither
// is asked whether a worker is alive. Two things prove that it is dead, and stay
// true however old they are: its container has ended and names it, or a later
// incarnation of its pod has spoken to the store, since no container is started
// again before it has ended. A status that names nobody proves nothing: by now
// the container may run again.
type proofs struct {
	ends   map[workload.Incarnation]*corev1.Pod // as it was when that ended
	latest map[string]int64                     // number of each id that the store knows
}

func (l *look) prove(rolls []roll) proofs {
	p := proofs{make(map[workload.Incarnation]*corev1.Pod), make(map[string]int64)}
	for _, pod := range l.lives {
		if i, ok := namedBy(pod); ok {
			p.ends[i] = pod
		}
	}
	for _, r := range rolls {
		for _, k := range r.known {
			if i, ok := workload.IncarnationOf(k.ID); ok {
				p.latest[i.ID] = max(p.latest[i.ID], i.Number)
			}
		}
	}
	return p
}

// dead tells whether an incarnation surely is.
func (p proofs) dead(i workload.Incarnation) bool {
	return p.ends[i] != nil || i.Number < p.latest[i.ID]
}

// hasEnded tells whether a worker on a node ever has, as far as is known.
func (l *look) hasEnded(node string) bool {
	return slices.ContainsFunc(l.lives, func(p *corev1.Pod) bool { return p.Spec.NodeName == node && terminated(p) != nil })
}

// namedBy is the incarnation that has ended with a pod's container, if that names
// one of its own.
func namedBy(p *corev1.Pod) (workload.Incarnation, bool) {
	t := terminated(p)
	if t == nil {
		return workload.Incarnation{}, false
	}
	i, ok := workload.IncarnationThatSaid(t.Message)
	return i, ok && i.ID == workerID(p)
}
