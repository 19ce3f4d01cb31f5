package kube

import (
	"context"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/coordinator"
	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// storeRetry is how long a look waits for a store that did not answer.
const storeRetry = 2 * time.Second

// look is one look at a WorkQueue: what was read, what was done about it. The
// WorkQueue's status collects what is to be told.
type look struct {
	*reconciler
	*memory
	w  *workload.WorkQueue
	at time.Time

	q     *store
	depth queue.Depth
	known []queue.WorkerInfo
	jobs  []batchv1.Job
	pods  []corev1.Pod
	lives []*corev1.Pod // of pods that there are and were
	census
}

// run looks once, and tells when to look again though nothing happens.
func (l *look) run(ctx context.Context) (time.Duration, error) {
	l.judge()
	if err := l.reach(ctx); err != nil {
		condition(l.w, StoreReachable, metav1.ConditionFalse, "Error", err.Error())
		l.record(waited, "the queue cannot be read, and an unknown number launches nothing")
		l.meters.failed.WithLabelValues(l.w.Namespace, l.w.Name).Inc()
		l.heard = time.Time{}
		return storeRetry, nil
	}
	condition(l.w, StoreReachable, metav1.ConditionTrue, "Answers", "")
	if err := l.survey(ctx); err != nil {
		return 0, err
	}
	l.disturb()
	act := l.act
	if l.w.Spec.PerNode() {
		act = l.reside
	}
	next, err := act(ctx)
	if err != nil {
		return 0, err
	}
	l.w.Status.Depth = depthStatus(l.depth)
	l.meters.see(l.w, l.depth)
	return min(next, l.o.Resync), nil
}

// act has the items be there, and as many workers as they ask for.
func (l *look) act(ctx context.Context) (time.Duration, error) {
	l.bury(ctx)
	if err := l.schedule(ctx); err != nil {
		return 0, err
	}
	next, err := l.feed(ctx)
	if err != nil {
		return 0, err
	}
	again, err := l.scale(ctx)
	l.w.Status.Workers = l.census.status()
	return min(next, again), err
}

// judge tells what is wrong with the spec. It is judged once a generation.
func (l *look) judge() {
	if l.judged != l.w.Generation {
		l.judged = l.w.Generation
		if l.faults = faultsOf(l.w); len(l.faults) == 0 {
			var err error
			if l.shape, err = newShape(l.w, l.o.Image); err != nil {
				l.faults = []string{err.Error()}
			}
		}
		if len(l.faults) > 0 {
			l.tell(corev1.EventTypeWarning, "Refused", "Check", strings.Join(l.faults, "; "))
		}
	}
	switch was := meta.FindStatusCondition(l.w.Status.Conditions, Accepted); {
	case len(l.faults) > 0:
		condition(l.w, Accepted, metav1.ConditionFalse, "Invalid", strings.Join(l.faults, "; "))
	case was == nil || was.Reason == "Invalid":
		condition(l.w, Accepted, metav1.ConditionTrue, "Valid", "")
	}
}

// reach opens the store, has the queue be as the spec says, and reads it.
func (l *look) reach(ctx context.Context) (err error) {
	if l.q, err = l.stores.get(ctx, l.w, l.at); err != nil {
		return err
	}
	if err := l.state(ctx); err != nil {
		return err
	}
	if l.depth, err = l.q.Depth(ctx); err != nil {
		return err
	}
	if l.known, err = l.q.Workers(ctx); err != nil {
		return err
	}
	if l.heard.IsZero() {
		l.heard = l.at
	}
	for i := range l.known { // a store that was away has heard of nobody meanwhile
		l.known[i].Seen = min(l.known[i].Seen, l.at.Sub(l.heard))
	}
	return nil
}

// survey reads the cluster.
func (l *look) survey(ctx context.Context) (err error) {
	if l.jobs, _, err = jobsOf(ctx, l, l.w); err != nil {
		return err
	}
	if l.pods, err = podsOf(ctx, l, l.w); err != nil {
		return err
	}
	for _, p := range l.lately(client.ObjectKeyFromObject(l.w), l.at) {
		l.lives = append(l.lives, livesOf(p.Pod)...)
	}
	for i := range l.pods {
		l.lives = append(l.lives, livesOf(&l.pods[i])...)
	}
	l.census = newCensus(l.jobs, l.pods, l.known)
	return nil
}

// bury expires the leases of workers that have proven dead, so that nobody
// waits for their deadlines.
func (l *look) bury(ctx context.Context) {
	for _, m := range l.dead {
		l.expire(ctx, l.q.Queue, workerOf(m.pod), m.pod.Name, failureOf(m.pod))
	}
}

// expire ends the leases that a dead worker holds of a queue's items, and tells
// whether it holds none any more.
func (l *look) expire(ctx context.Context, q *queue.Queue, worker, pod string, f queue.Failure) bool {
	n, err := q.Expire(ctx, worker, f)
	if err != nil {
		l.log.Warn("cannot expire the leases of a dead worker", "pod", pod, "error", err)
		return false
	}
	if n > 0 {
		l.record(fmt.Sprintf("expired %d leases of %s", n, pod), f.String())
	}
	return true
}

// scale plans, and carries it out.
func (l *look) scale(ctx context.Context) (time.Duration, error) {
	o := l.bounds()
	count, leaving := l.count(l.depth)
	o.Max = max(o.Max-leaving, 0)
	what := l.obstacleOf(l.shape.digest, l.at)
	if what == nil || what.reason == "NoPods" {
		said, err := l.refusal(ctx)
		if err != nil {
			l.log.Warn("cannot read why something is missing", "workqueue", l.w.Name, "error", err)
		} else if said != nil {
			what = said
		}
	}
	if len(l.faults) > 0 {
		what = &obstacle{"Invalid", "the WorkQueue is not accepted"}
	}
	if what != nil {
		count.Stuck = what.message
	}
	dec := coordinator.Plan(l.depth, count, o)
	if dec.Launch > 0 {
		var err error
		if dec, what, err = l.launch(ctx, o); err != nil {
			return 0, err
		}
	}
	next, err := l.dismiss(ctx, dec, o)
	if err != nil {
		return 0, err
	}
	l.explain(dec, what)
	if d := l.depth.NextDue; d >= 0 {
		next = min(next, max(d-o.LaunchTime, gap))
	}
	return next, nil
}

// bounds are the plan's options.
func (l *look) bounds() coordinator.Options {
	s := l.w.Spec.Scaling
	o := coordinator.Options{
		Min: int(deref(s.MinParallelism)), Max: int(deref(s.MaxParallelism)),
		ItemsPerWorker: max(int(deref(s.ItemsPerWorker)), l.shape.slots, 1), LaunchTime: launchTime(l.pods),
	}
	o.Max = max(o.Max, o.Min, 1)
	if deref(l.w.Spec.Suspend) {
		o.Min = 0
	}
	return o
}

// explain writes down why there are as many workers as there are.
func (l *look) explain(dec coordinator.Decision, what *obstacle) {
	l.record(waited, dec.Reason)
	switch {
	case what != nil && len(l.faults) == 0:
		condition(l.w, Scaling, metav1.ConditionFalse, what.reason, "further launches are held back: "+what.message)
		if l.obstacle != what.reason {
			l.tell(corev1.EventTypeWarning, what.reason, "Launch", "further launches are held back: "+what.message)
		}
	case what != nil:
		condition(l.w, Scaling, metav1.ConditionFalse, what.reason, what.message)
	case l.depth.Paused:
		condition(l.w, Scaling, metav1.ConditionTrue, "Paused", "the queue is paused: its items ask for no workers")
	case int64(dec.Live)+dec.Wanted > int64(l.bounds().Max):
		condition(l.w, Scaling, metav1.ConditionTrue, "AtMaximum", "more workers are wanted than spec.scaling.maxParallelism allows")
	default:
		condition(l.w, Scaling, metav1.ConditionTrue, "Enough", "")
	}
	l.obstacle = ""
	if what != nil {
		l.obstacle = what.reason
	}
}

// record writes down a decision, if it is another than the last.
func (l *look) record(did, rule string) {
	if ds := l.w.Status.Decisions; did == waited && len(ds) > 0 && (ds[0].Did == waited && ds[0].Rule == rule || ds[0].Time.Time.Equal(l.at)) {
		return // what was done in this look says more
	}
	decided(l.w, did, rule, l.at)
}
