package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// cancelAtOnce is how many items one call of the store cancels.
const cancelAtOnce = 500

// nodeQueue is the queue of one node.
type nodeQueue struct {
	*queue.Queue
	told int64 // the WorkQueue's generation that it was told of; 0 before the first and once the node is gone
}

// nodeQueue opens the queue of a node.
func (l *look) nodeQueue(ctx context.Context, node string) (*nodeQueue, error) {
	if n := l.q.nodes[node]; n != nil {
		return n, nil
	}
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	q, err := l.stores.dial(ctx, l.q.url, workload.NodeQueue(l.q.name, node))
	if err != nil {
		return nil, err
	}
	n := &nodeQueue{Queue: q}
	l.q.nodes[node] = n
	return n, nil
}

// welcome has the queue of a node be as the spec says, and be known as that of a
// node which is there. It is the WorkQueue's own: what it states takes the place
// of what others have stated.
func (n *nodeQueue) welcome(ctx context.Context, w *workload.WorkQueue) error {
	if n.told == w.Generation {
		return nil
	}
	if _, err := n.SetPolicy(ctx, w.Spec.ItemPolicy.Queue(), true); err != nil {
		return err
	}
	if err := n.Pause(ctx, deref(w.Spec.Suspend)); err != nil {
		return err
	}
	if err := n.OpenBatch(ctx, queue.Batch{Name: workload.ResidentBatch}); err != nil {
		return err
	}
	if err := n.ChangeBatch(ctx, workload.GoneBatch, queue.DeleteBatch); err != nil && !errors.Is(err, queue.ErrNotFound) {
		return err
	}
	n.told = w.Generation
	return nil
}

// farewell is what became of a node's queue when the node was found to be gone.
type farewell struct {
	ours      bool // it is the queue of a node, not one that is only called so
	first     bool // nobody had found that before
	cancelled int  // items, now
	since     time.Duration
}

// leave has the queue of a node that is gone take no copies any more, and
// cancels those that nobody will do, so that no batch waits for them. The mark
// comes first: who enqueues sees it, and who was quicker is met by the next look.
func (n *nodeQueue) leave(ctx context.Context) (f farewell, err error) {
	list, err := n.Batches(ctx)
	if err != nil {
		return f, err
	}
	find := func(name string) int {
		return slices.IndexFunc(list, func(b queue.BatchInfo) bool { return b.Name == name })
	}
	if f.ours = find(workload.ResidentBatch) >= 0; !f.ours {
		return f, nil
	}
	n.told = 0
	if at := find(workload.GoneBatch); at >= 0 {
		f.since = list[at].Age
	} else {
		f.first = true
		if err := n.OpenBatch(ctx, queue.Batch{Name: workload.GoneBatch}); err != nil {
			return f, err
		}
	}
	d, err := n.Depth(ctx)
	if err != nil || d.Unfinished() == 0 {
		return f, err
	}
	for _, b := range list {
		if b.Name == "" || b.Cancelled || b.Depth.Unfinished() == 0 {
			continue
		}
		if err := n.ChangeBatch(ctx, b.Name, queue.CancelBatch); err != nil && !errors.Is(err, queue.ErrNotFound) {
			return f, fmt.Errorf("cancel batch %s: %w", b.Name, err)
		}
	}
	if err := n.cancelLoose(ctx); err != nil {
		return f, err
	}
	now, err := n.Depth(ctx)
	f.cancelled = int(max(now.Cancelled-d.Cancelled, 0))
	return f, err
}

// cancelLoose cancels unfinished items that are of no batch of their own. One
// whose output is decided stays: it is published.
func (n *nodeQueue) cancelLoose(ctx context.Context) error {
	left, err := n.Items(ctx, queue.Query{States: []queue.State{queue.Ready, queue.Delayed, queue.Leased, queue.Blocked}})
	if err != nil {
		return err
	}
	for some := range slices.Chunk(left, cancelAtOnce) {
		ids := make([]string, len(some))
		for i, r := range some {
			ids[i] = r.Item.ID
		}
		if _, err := n.ChangeItems(ctx, queue.CancelItem, ids); err != nil {
			return fmt.Errorf("cancel items: %w", err)
		}
	}
	return nil
}
