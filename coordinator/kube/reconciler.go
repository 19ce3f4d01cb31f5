package kube

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sluice.dev/manifests/workload"
)

// reconciler looks at WorkQueues, one at a time each.
type reconciler struct {
	client.Client               // reads what watches have brought
	fresh         client.Reader // reads what the API server has now
	stores        *stores
	o             Options
	events        events.EventRecorder
	meters        *meters
	log           *slog.Logger
	now           func() time.Time

	mu     sync.Mutex
	kept   map[types.NamespacedName]*memory
	bygone map[types.NamespacedName][]gonePod
}

// memory is what is kept of a WorkQueue between two looks. Nothing is wrong when
// it is lost, but for some time.
type memory struct {
	owner    types.UID
	wrote    time.Time               // the status
	idle     map[types.UID]time.Time // since when workers, by their pods, have had no item
	judged   int64                   // the generation that shape and faults are about
	shape    shape
	faults   []string
	batches  time.Time                 // when they were read last
	obstacle string                    // that was told last
	endings  map[string]ending         // of late, that were told
	unsaid   []workload.DecisionStatus // newest first; what was done in a look whose status could not be written
	since    time.Time                 // when the first look was
	absent   map[string]time.Time      // since when nodes have had no worker
	heard    time.Time                 // since when each look could read the queue

	// since when incarnations are dead of which no pod says how they ended
	unnamed map[workload.Incarnation]time.Time
}

// Reconcile looks at one WorkQueue.
func (r *reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	w := &workload.WorkQueue{}
	err := r.Get(ctx, req.NamespacedName, w)
	if apierrors.IsNotFound(err) || err == nil && !w.DeletionTimestamp.IsZero() {
		r.forget(req.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read WorkQueue: %w", err)
	}
	before := w.Status.DeepCopy()
	l := &look{reconciler: r, w: w, memory: r.remember(w), at: r.now()}
	l.recall()
	next, err := l.run(ctx)
	w.Status.ObservedGeneration = w.Generation
	if since := l.at.Sub(l.wrote); worth(before, &w.Status, since) {
		if e := r.Status().Update(ctx, w); e != nil {
			l.unsaid = newDecisions(before, &w.Status)
			if !apierrors.IsConflict(e) && !apierrors.IsNotFound(e) {
				return reconcile.Result{}, fmt.Errorf("write status: %w", e)
			}
			next = gap // somebody was quicker: another event comes of that
		} else {
			l.wrote, l.unsaid = l.at, nil
		}
	} else if since < statusEvery {
		next = min(next, statusEvery-since)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: max(next, time.Millisecond)}, nil
}

func (r *reconciler) remember(w *workload.WorkQueue) *memory {
	key := client.ObjectKeyFromObject(w)
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.kept[key]
	if m == nil || m.owner != w.UID {
		m = &memory{owner: w.UID, since: r.now(), idle: make(map[types.UID]time.Time), absent: make(map[string]time.Time), endings: make(map[string]ending)}
		r.kept[key] = m
	}
	return m
}

func (r *reconciler) forget(key types.NamespacedName) {
	r.mu.Lock()
	delete(r.kept, key)
	delete(r.bygone, key)
	r.mu.Unlock()
	r.stores.forget(key)
	r.meters.forget(key)
}

// tell makes an event of the WorkQueue.
func (l *look) tell(kind, reason, action, note string) {
	if len(note) > maxMessage {
		note = note[:maxMessage]
	}
	l.events.Eventf(l.w, nil, kind, reason, action, "%s", note)
}

// jobsOf reads the Jobs of a WorkQueue. Those of one that had its name before
// are not its own.
func jobsOf(ctx context.Context, r client.Reader, w *workload.WorkQueue) (own []batchv1.Job, highest int64, err error) {
	var list batchv1.JobList
	if err := r.List(ctx, &list, client.InNamespace(w.Namespace), client.MatchingLabels{labelQueue: w.Name}); err != nil {
		return nil, 0, fmt.Errorf("list Jobs: %w", err)
	}
	for i := range list.Items {
		j := &list.Items[i]
		highest = max(highest, waveOf(j))
		for _, o := range j.OwnerReferences {
			if o.UID == w.UID {
				own = append(own, *j)
			}
		}
	}
	return own, highest, nil
}

func podsOf(ctx context.Context, r client.Reader, w *workload.WorkQueue) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := r.List(ctx, &list, client.InNamespace(w.Namespace), client.MatchingLabels{labelQueue: w.Name}); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	return list.Items, nil
}
