package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

const (
	// nodePatience is how long a node that is there may be without a worker
	// before its copies are cancelled: its labels or taints forbid it one.
	nodePatience = 5 * time.Minute
	// goneFor is how long the queue of a node that is gone can be looked at.
	goneFor = 24 * time.Hour
	// nodesLimit is how long the first list of nodes may take.
	nodesLimit = 30 * time.Second
)

// reside has each node that the template allows have a worker, and a queue that
// only this worker gets items of.
func (l *look) reside(ctx context.Context) (time.Duration, error) {
	if len(l.faults) > 0 {
		condition(l.w, Scaling, metav1.ConditionFalse, "Invalid", "the WorkQueue is not accepted")
		return math.MaxInt64, nil
	}
	set, what, err := l.daemons(ctx)
	if err != nil {
		return 0, err
	}
	exists, err := l.nodes(ctx)
	if err != nil {
		return 0, err
	}
	pods := l.residents(set)
	seen, err := l.visit(ctx, pods, exists)
	if api := apierrors.APIStatus(nil); err != nil && errors.As(err, &api) {
		return 0, err
	}
	if err != nil {
		condition(l.w, StoreReachable, metav1.ConditionFalse, "Error", err.Error())
		return storeRetry, nil
	}
	for _, node := range slices.Sorted(maps.Keys(pods)) {
		if o := residentObstacle(pods[node], l.at); o != nil && what == nil {
			what = o
		}
	}
	again := l.buryRestarted(ctx, append(seen.rolls, roll{l.q.Queue, l.known}))
	l.w.Status.Workers = l.residentStatus(pods, seen.busy)
	l.tellNodes(seen, what)
	l.record(waited, fmt.Sprintf("mode is PerNode: %d nodes have a worker, and a queue each", len(seen.busy)))
	return min(seen.next, again), nil
}

// nodes are the nodes that there are, as the watch has them.
func (l *look) nodes(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, nodesLimit) // without the right to list them it would wait for ever
	defer cancel()
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NodeList"))
	if err := l.List(ctx, list); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	names := make(map[string]bool, len(list.Items))
	for _, n := range list.Items {
		names[n.Name] = true
	}
	return names, nil
}

// residents are the pods of the DaemonSet by the nodes that have them.
func (l *look) residents(set *appsv1.DaemonSet) map[string]*corev1.Pod {
	pods := make(map[string]*corev1.Pod)
	for i := range l.pods {
		p := &l.pods[i]
		if set == nil || makerOf(p) != set.UID || p.Spec.NodeName == "" {
			continue
		}
		if old := pods[p.Spec.NodeName]; old == nil || old.CreationTimestamp.Before(&p.CreationTimestamp) {
			pods[p.Spec.NodeName] = p
		}
	}
	return pods
}

// round is what a visit to the queues of all nodes has found.
type round struct {
	busy  map[string]bool // the nodes with a worker: whether it has an item of its own queue
	rolls []roll          // of the queues of nodes where workers have ended
	lost  []string        // nodes that are gone and had items to do
	next  time.Duration
}

// visit goes to the queue of every node that has a worker or had one, and adds
// what they hold to the depth.
func (l *look) visit(ctx context.Context, pods map[string]*corev1.Pod, exists map[string]bool) (round, error) {
	seen := round{busy: make(map[string]bool), next: math.MaxInt64}
	for node := range pods {
		if !exists[node] {
			continue
		}
		delete(l.absent, node)
		n, err := l.nodeQueue(ctx, node)
		if err == nil {
			err = n.welcome(ctx, l.w)
		}
		if err != nil {
			return seen, fmt.Errorf("queue of node %s: %w", node, err)
		}
		d, err := n.Depth(ctx)
		if err != nil {
			return seen, fmt.Errorf("queue of node %s: %w", node, err)
		}
		if d.Leased > 0 && l.hasEnded(node) {
			known, err := n.Workers(ctx)
			if err != nil {
				return seen, fmt.Errorf("queue of node %s: %w", node, err)
			}
			seen.rolls = append(seen.rolls, roll{n.Queue, known})
		}
		seen.busy[node] = d.Leased > 0
		l.depth = sum(l.depth, d)
	}
	known, err := l.o.Queues(ctx, l.q.url)
	if err != nil {
		return seen, err
	}
	for _, name := range known {
		node, ok := workload.NodeOf(l.q.name, name)
		if _, here := seen.busy[node]; !ok || here {
			continue
		}
		if err := l.miss(ctx, node, exists[node], &seen); err != nil {
			return seen, fmt.Errorf("queue of node %s: %w", node, err)
		}
	}
	return seen, nil
}

// miss looks after the queue of a node that has no worker.
func (l *look) miss(ctx context.Context, node string, exists bool, seen *round) error {
	if exists {
		if _, ok := l.absent[node]; !ok {
			l.absent[node] = l.at
		}
		if wait := nodePatience - l.at.Sub(l.absent[node]); wait > 0 {
			seen.next = min(seen.next, wait)
			return nil
		}
	} else if gone, err := l.gone(ctx, node); err != nil || !gone {
		return err // the watch is late
	}
	n, err := l.nodeQueue(ctx, node)
	if err != nil {
		return err
	}
	f, err := n.leave(ctx)
	if err != nil || !f.ours {
		return err
	}
	if f.first || f.cancelled > 0 {
		what := fmt.Sprintf("node %s is gone: %d items that it had not done are cancelled", node, f.cancelled)
		if exists {
			what = fmt.Sprintf("node %s has had no worker for %s, since spec.jobTemplate does not allow it one: %d items that it had not done are cancelled", node, nodePatience, f.cancelled)
		}
		l.record("gave up node "+node, what)
		l.tell(corev1.EventTypeWarning, "NodeGone", "Cancel", what)
		l.log.Info("node gone", "workqueue", client.ObjectKeyFromObject(l.w).String(), "node", node, "cancelled", f.cancelled)
	}
	d, err := n.Depth(ctx)
	if err != nil {
		return err
	}
	if f.since > goneFor && d.Dead == 0 && d.Unfinished() == 0 { // dead items are a person's to delete
		delete(l.q.nodes, node)
		delete(l.absent, node)
		return errors.Join(n.Drop(ctx), n.Close())
	}
	if d.Cancelled > 0 {
		seen.lost = append(seen.lost, fmt.Sprintf("%s, %d items of which are cancelled", node, d.Cancelled))
	}
	l.depth = sum(l.depth, d)
	return nil
}

// gone tells whether the API server has no such node, since what comes of that
// cannot be undone.
func (l *look) gone(ctx context.Context, node string) (bool, error) {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Node"))
	err := l.fresh.Get(ctx, client.ObjectKey{Name: node}, o)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return false, err
}

// residentStatus counts the workers of nodes.
func (l *look) residentStatus(pods map[string]*corev1.Pod, busy map[string]bool) (s workload.WorkersStatus) {
	shared := make(map[string]bool) // workers with an item of the queue that all share
	for _, k := range l.known {
		if i, ok := workload.IncarnationOf(k.ID); ok && k.Leases > 0 {
			shared[i.ID] = true
		}
	}
	for node, p := range pods {
		s.Live++
		switch stageOf(p) {
		case running:
			s.Running++
			if busy[node] || shared[workerID(p)] {
				s.Busy++
			}
		default: // it restarts
			s.Starting++
		}
	}
	return s
}

// tellNodes tells what is wrong with nodes.
func (l *look) tellNodes(seen round, what *obstacle) {
	if len(seen.lost) > 0 {
		condition(l.w, Nodes, metav1.ConditionFalse, "NodeGone", "gone: "+strings.Join(seen.lost, "; "))
	} else {
		condition(l.w, Nodes, metav1.ConditionTrue, "Present", fmt.Sprintf("%d nodes have a queue of their own", len(seen.busy)))
	}
	if what == nil {
		l.obstacle = ""
		condition(l.w, Scaling, metav1.ConditionTrue, "PerNode", "the DaemonSet has a worker on each node that its template allows")
		return
	}
	condition(l.w, Scaling, metav1.ConditionFalse, what.reason, what.message)
	if l.obstacle != what.reason {
		l.tell(corev1.EventTypeWarning, what.reason, "Launch", what.message)
	}
	l.obstacle = what.reason
}

// sum adds the items of another queue. What is paused and due is the first's.
func sum(d, more queue.Depth) queue.Depth {
	d.Blocked += more.Blocked
	d.Delayed += more.Delayed
	d.Ready += more.Ready
	d.Leased += more.Leased
	d.Done += more.Done
	d.Dead += more.Dead
	d.Cancelled += more.Cancelled
	d.Held += more.Held
	return d
}
