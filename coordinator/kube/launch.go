package kube

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/coordinator"
	"sluice.dev/queue"
)

// launch makes a wave of the workers that are missing. It plans again with the
// Jobs that the API server has now: a watch may be late, another coordinator may
// not know yet that it no longer leads. If both make a Job it is the same one.
func (l *look) launch(ctx context.Context, o coordinator.Options) (coordinator.Decision, *obstacle, error) {
	jobs, highest, err := jobsOf(ctx, l.fresh, l.w)
	if err != nil {
		return coordinator.Decision{}, nil, err
	}
	l.census = newCensus(jobs, l.pods, l.known)
	count, leaving := l.count(l.depth)
	bounds := l.bounds()
	bounds.Max = max(bounds.Max-leaving, 0)
	dec := coordinator.Plan(l.depth, count, bounds)
	if dec.Launch == 0 {
		return dec, nil, nil
	}
	number := max(highest, l.w.Status.Wave) + 1
	job := l.shape.wave(l.w, number, dec.Launch)
	err = l.Create(ctx, job, client.FieldOwner(fieldOwner))
	switch {
	case apierrors.IsAlreadyExists(err): // another coordinator made it, or it is a stranger's: the next number is free
		l.w.Status.Wave = number
		return dec, nil, nil
	case apierrors.IsForbidden(err) || apierrors.IsInvalid(err):
		return dec, &obstacle{string(apierrors.ReasonForError(err)), err.Error()}, nil
	case err != nil:
		return dec, nil, fmt.Errorf("make Job %s: %w", job.Name, err)
	}
	l.w.Status.Wave = number
	l.census = newCensus(append(jobs, *job), l.pods, l.known)
	did := fmt.Sprintf("launched %d as Job %s", dec.Launch, job.Name)
	l.record(did, dec.Reason)
	l.tell(corev1.EventTypeNormal, "Launched", "Launch", did+": "+dec.Reason)
	l.meters.launched.WithLabelValues(l.w.Namespace, l.w.Name).Add(float64(dec.Launch))
	l.log.Info("launched", "workqueue", client.ObjectKeyFromObject(l.w).String(), "workers", dec.Launch, "job", job.Name, "reason", dec.Reason)
	return dec, nil, nil
}

// dismiss lets go whom nobody needs, and tells when to look again.
func (l *look) dismiss(ctx context.Context, dec coordinator.Decision, o coordinator.Options) (time.Duration, error) {
	surplus := dec.Live - max(o.Min, l.needed(dec, o))
	if err := l.withdraw(ctx, surplus); err != nil {
		return 0, err
	}
	next := l.watchIdle()
	if dec.Claimable > 0 || dec.Live <= o.Min {
		return math.MaxInt64, nil
	}
	return next, l.letGo(ctx, dec.Live-o.Min)
}

// needed is how many workers the items at work and those to come justify.
func (l *look) needed(dec coordinator.Decision, o coordinator.Options) int {
	busy := 0
	l.each(func(_ wave, m member) {
		if m.leases > 0 {
			busy++
		}
	})
	per := int64(o.ItemsPerWorker)
	return busy + int(min((dec.Claimable+per-1)/per, math.MaxInt32))
}

// withdraw deletes Jobs of which no worker has begun: all that nobody needs any
// more, and those of an older template that cannot start; and those whose workers
// are lost, which would be replaced only if their nodes came back. A Job is deleted
// as it was read or not at all.
func (l *look) withdraw(ctx context.Context, surplus int) error {
	for _, w := range slices.Backward(l.waves) {
		outdated := l.shape.digest != "" && w.job.Labels[labelTemplate] != l.shape.digest
		old := l.at.Sub(w.job.CreationTimestamp.Time) >= l.o.Idle
		why := ""
		switch {
		case w.lost(l.at):
			why = "nobody hears of its workers or their nodes"
		case w.want() == 0 || w.begun():
		case outdated && !w.bound():
			why = "its template is no longer the WorkQueue's, and no node has a pod of it"
		case outdated && w.hopeless(l.at):
			why = "its template is no longer the WorkQueue's, and its pods cannot start"
		case old && !w.bound() && w.want() <= surplus:
			why = fmt.Sprintf("its %d workers are not needed any more, and no node has a pod of it", w.want())
		}
		if why == "" {
			continue
		}
		gone, err := l.deleteJob(ctx, w.job)
		if err != nil {
			return err
		}
		if gone {
			surplus -= w.want()
			l.record("withdrew Job "+w.job.Name, why)
			l.tell(corev1.EventTypeNormal, "Withdrawn", "Withdraw", "withdrew Job "+w.job.Name+": "+why)
		}
	}
	return nil
}

// hopeless tells whether nothing that a node has of the Job can start.
func (w wave) hopeless(now time.Time) bool {
	return !slices.ContainsFunc(w.members, func(m member) bool {
		return m.stage == running || m.stage == starting && podObstacle(m.pod, now) == nil
	})
}

// deleteJob deletes a Job unless it, or what nodes have of it, has changed
// meanwhile.
func (l *look) deleteJob(ctx context.Context, j *batchv1.Job) (bool, error) {
	var pods corev1.PodList
	if err := l.fresh.List(ctx, &pods, client.InNamespace(j.Namespace), client.MatchingLabels{batchv1.JobNameLabel: j.Name}); err != nil {
		return false, fmt.Errorf("list pods of Job %s: %w", j.Name, err)
	}
	now := newCensus([]batchv1.Job{*j}, pods.Items, l.known)
	for _, w := range now.waves {
		if !w.lost(l.at) && (w.begun() || w.bound() && !w.hopeless(l.at)) {
			return false, nil
		}
	}
	err := l.Delete(ctx, j, client.PropagationPolicy(metav1.DeletePropagationBackground),
		client.Preconditions{UID: &j.UID, ResourceVersion: &j.ResourceVersion})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("delete Job %s: %w", j.Name, err)
	}
	return true, nil
}

// watchIdle keeps since when workers have had nothing to do, and returns when
// the first of them will have waited long enough.
func (l *look) watchIdle() time.Duration {
	next := time.Duration(math.MaxInt64)
	present := make(map[string]bool)
	l.each(func(_ wave, m member) {
		if m.stage != running || !m.known || m.gone || m.leases > 0 {
			return
		}
		present[string(m.pod.UID)] = true
		if _, ok := l.idle[m.pod.UID]; !ok {
			l.idle[m.pod.UID] = l.at
		}
		if wait := l.o.Idle - l.at.Sub(l.idle[m.pod.UID]); wait > 0 {
			next = min(next, wait)
		}
	})
	for uid := range l.idle {
		if !present[string(uid)] {
			delete(l.idle, uid)
		}
	}
	return next
}

// letGo asks the store to let up to n idle workers go. It refuses if something
// has become claimable, or will within the idle time.
func (l *look) letGo(ctx context.Context, n int) error {
	var idle []member
	l.each(func(_ wave, m member) {
		if since, ok := l.idle[m.pod.UID]; ok && l.at.Sub(since) >= l.o.Idle {
			idle = append(idle, m)
		}
	})
	left := 0
	for _, m := range idle[:min(max(n, 0), len(idle))] {
		ok, err := l.q.Leave(ctx, workerOf(m.pod), l.o.Idle)
		if err != nil && !errors.Is(err, queue.ErrUnavailable) {
			return fmt.Errorf("let %s go: %w", m.pod.Name, err)
		}
		if err != nil || !ok {
			break
		}
		left++
		delete(l.idle, m.pod.UID)
	}
	if left > 0 {
		did := fmt.Sprintf("let %d workers go", left)
		l.record(did, fmt.Sprintf("they had nothing to do for %s, and nothing is claimable or due within that", l.o.Idle))
		l.tell(corev1.EventTypeNormal, "LetGo", "Leave", did)
		l.meters.dismissed.WithLabelValues(l.w.Namespace, l.w.Name).Add(float64(left))
	}
	return nil
}
