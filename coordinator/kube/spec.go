package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// batchLook is how often the batch of a source is read until it is Complete, and
// whether another WorkQueue is.
const batchLook = 2 * time.Second

// state has the queue be as the spec says: its policy, and whether it is paused.
// What a person did to the queue since is left alone until the spec changes.
func (l *look) state(ctx context.Context) error {
	if len(l.faults) > 0 {
		return nil
	}
	if err := l.policy(ctx); err != nil {
		return err
	}
	if suspend := deref(l.w.Spec.Suspend); suspend != l.w.Status.Suspended {
		if err := l.q.Pause(ctx, suspend); err != nil {
			return err
		}
		l.w.Status.Suspended = suspend
	}
	return nil
}

// policy states the queue's policy. What this WorkQueue stated before is its own
// to change; what others stated is not.
func (l *look) policy(ctx context.Context) error {
	stated := queuePart(&l.w.Spec.ItemPolicy)
	if l.w.Status.Policy != nil && equality.Semantic.DeepEqual(*l.w.Status.Policy, stated) {
		return nil
	}
	owned := l.w.Status.Policy != nil && l.inForce(ctx, l.w.Status.Policy)
	_, err := l.q.SetPolicy(ctx, stated.Queue(), owned)
	if conflict, ok := errors.AsType[*queue.PolicyConflict](err); ok {
		condition(l.w, Accepted, metav1.ConditionFalse, "PolicyConflict", fmt.Sprintf("spec.itemPolicy: %v with 'sluice set'", conflict))
		return nil
	}
	if err != nil {
		return err
	}
	l.w.Status.Policy = &stated
	if c := meta.FindStatusCondition(l.w.Status.Conditions, Accepted); c.Reason == "PolicyConflict" {
		condition(l.w, Accepted, metav1.ConditionTrue, "Valid", "")
	}
	return nil
}

// inForce tells whether the queue's policy still is what was stated.
func (l *look) inForce(ctx context.Context, p *workload.ItemPolicy) bool {
	_, err := l.q.SetPolicy(ctx, p.Queue(), false)
	return err == nil
}

// queuePart is what an item policy states of the queue.
func queuePart(p *workload.ItemPolicy) workload.ItemPolicy {
	return workload.ItemPolicy{
		Lease: p.Lease, BackoffLimit: p.BackoffLimit, RetryDelay: p.RetryDelay,
		RetryDelayMax: p.RetryDelayMax, DisruptionLimit: p.DisruptionLimit, Retention: p.Retention,
	}
}

// feed enqueues the items of a source, once, and tells when to look again. What
// was enqueued before a coordinator died is a duplicate when the next one goes on.
func (l *look) feed(ctx context.Context) (time.Duration, error) {
	if l.w.Spec.Source == nil || l.w.Spec.Schedule != nil || len(l.faults) > 0 {
		return math.MaxInt64, nil
	}
	text, err := json.Marshal(l.w.Spec.Source)
	if err != nil {
		return 0, fmt.Errorf("spec.source: %w", err)
	}
	digest := digestOf(text)
	if s := l.w.Status.Source; s != "" && s != digest {
		condition(l.w, Enqueued, metav1.ConditionTrue, "SourceChanged", "the source was enqueued before it was changed: other items need another WorkQueue, or 'sluice enqueue'")
	}
	if meta.IsStatusConditionTrue(l.w.Status.Conditions, Complete) {
		return math.MaxInt64, nil
	}
	if meta.IsStatusConditionTrue(l.w.Status.Conditions, Enqueued) {
		return l.follow(ctx)
	}
	if after := l.w.Spec.After; after != "" {
		var first workload.WorkQueue
		if err := l.Get(ctx, client.ObjectKey{Namespace: l.w.Namespace, Name: after}, &first); client.IgnoreNotFound(err) != nil {
			return 0, fmt.Errorf("read WorkQueue %s: %w", after, err)
		}
		if first.Spec.Schedule != nil {
			condition(l.w, Enqueued, metav1.ConditionFalse, "Refused", fmt.Sprintf("WorkQueue %s has a schedule, and a coordinator has no batch follow each of its batches: a schedule of its own is allowed", after))
			return batchLook, nil
		}
		if !meta.IsStatusConditionTrue(first.Status.Conditions, Complete) {
			condition(l.w, Enqueued, metav1.ConditionFalse, "Waiting", fmt.Sprintf("WorkQueue %s is not Complete", after))
			return batchLook, nil
		}
	}
	b := queue.Batch{Name: batchName(l.w), Deadline: time.Duration(deref(l.w.Spec.DeadlineSeconds)) * time.Second}
	err = l.q.OpenBatch(ctx, b)
	var report string
	if err == nil {
		report, err = l.o.Enqueue(ctx, l.q.Queue, l.w, b.Name)
	}
	if err == nil {
		err = l.q.Seal(ctx, b.Name)
	}
	switch {
	case errors.Is(err, queue.ErrUnavailable):
		condition(l.w, Enqueued, metav1.ConditionFalse, "StoreUnavailable", err.Error())
		return storeRetry, nil
	case err != nil:
		condition(l.w, Enqueued, metav1.ConditionFalse, "Refused", err.Error())
		return math.MaxInt64, nil
	}
	condition(l.w, Enqueued, metav1.ConditionTrue, "Enqueued", fmt.Sprintf("batch %s: %s", b.Name, report))
	l.w.Status.Source = digest
	l.record("enqueued the source", report)
	return gap, nil // for a depth with them
}

// batchName is a batch that no other WorkQueue has, also none of the same name.
func batchName(w *workload.WorkQueue) string {
	uid := string(w.UID)
	return w.Name + "-" + uid[:min(8, len(uid))]
}

// follow tells whether the batch of the source is done.
func (l *look) follow(ctx context.Context) (time.Duration, error) {
	if l.at.Sub(l.batches) < batchLook {
		return batchLook, nil
	}
	l.batches = l.at
	list, err := l.q.Batches(ctx)
	if err != nil {
		return 0, fmt.Errorf("read batches: %w", err)
	}
	for _, b := range list {
		if b.Name != batchName(l.w) {
			continue
		}
		switch {
		case b.Complete():
			condition(l.w, Complete, metav1.ConditionTrue, "Complete", fmt.Sprintf("%d items are done", b.Depth.Done))
			return math.MaxInt64, nil
		case b.Cancelled || b.Failed():
			condition(l.w, Complete, metav1.ConditionFalse, "Failed", fmt.Sprintf("%d items are dead, %d cancelled", b.Depth.Dead, b.Depth.Cancelled))
		default:
			condition(l.w, Complete, metav1.ConditionFalse, "Working", "")
		}
	}
	return batchLook, nil
}
