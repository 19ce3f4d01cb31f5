package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// targets are the queues that get each item: the one that was named, or one of
// each node.
type targets struct {
	queues  []*queue.Queue
	names   []string
	nodes   []string // of each queue; nil if a queue was named
	refused string   // the node whose queue has refused an item
}

// target opens the queues that items are to go to.
func (f *enqueueFlags) target(ctx context.Context, p place, name string) (*targets, error) {
	if f.eachNode {
		t, err := eachNode(ctx, p, name, present)
		if err == nil && len(t.queues) == 0 {
			err = noNodes(name)
		}
		return t, err
	}
	q, err := p.open(ctx, name)
	if err != nil {
		return nil, err
	}
	return &targets{queues: []*queue.Queue{q}, names: []string{name}}, nil
}

// eachNode opens the queues of the nodes that a coordinator has found for a
// WorkQueue and that are meant, as their batches tell.
func eachNode(ctx context.Context, p place, name string, meant func([]queue.BatchInfo) bool) (*targets, error) {
	if err := queue.ValidateName("queue", name); err != nil {
		return nil, usage(err)
	}
	known, err := p.queues(ctx)
	if err != nil {
		return nil, err
	}
	t := &targets{}
	for _, k := range known {
		node, ok := workload.NodeOf(name, k)
		if !ok {
			continue
		}
		q, err := p.open(ctx, k)
		if err != nil {
			t.close()
			return nil, err
		}
		t.queues = append(t.queues, q)
		batches, err := q.Batches(ctx)
		if err != nil {
			t.close()
			return nil, told(err)
		}
		if !meant(batches) {
			t.queues = t.queues[:len(t.queues)-1]
			_ = q.Close()
			continue
		}
		t.names, t.nodes = append(t.names, k), append(t.nodes, node)
	}
	return t, nil
}

// noNodes says that there are none, so that --each-node makes no sense.
func noNodes(name string) error {
	return usagef("--each-node: queue %q has no queue of a node: that takes a WorkQueue with mode PerNode, a coordinator, and a node that has its worker", name)
}

// resident tells whether a queue with these batches is that of a node, which may
// be gone.
func resident(list []queue.BatchInfo) bool { return hasBatch(list, workload.ResidentBatch) }

// present tells whether it is that of a node which is there.
func present(list []queue.BatchInfo) bool {
	return resident(list) && !hasBatch(list, workload.GoneBatch)
}

func hasBatch(list []queue.BatchInfo, name string) bool {
	return slices.ContainsFunc(list, func(b queue.BatchInfo) bool { return b.Name == name })
}

// Enqueue adds items to every queue. An item is added if one of them did not
// know it, and refused if one of them refuses it.
func (t *targets) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	var all []queue.Outcome
	for i, q := range t.queues {
		got, err := q.Enqueue(ctx, items)
		if err != nil {
			return nil, t.of(i, err)
		}
		if all == nil {
			all = got
		}
		for k, o := range got {
			switch {
			case o != queue.Added && o != queue.Duplicate:
				all[k] = o
				if t.nodes != nil {
					t.refused = t.nodes[i]
				}
			case o == queue.Added && all[k] == queue.Duplicate:
				all[k] = o
			}
		}
	}
	return all, nil
}

// each does something to every queue, up to the first error.
func (t *targets) each(do func(*queue.Queue) error) error {
	for i, q := range t.queues {
		if err := do(q); err != nil {
			return t.of(i, err)
		}
	}
	return nil
}

// of says whose error it is.
func (t *targets) of(i int, err error) error {
	if t.nodes == nil {
		return err
	}
	return fmt.Errorf("node %s: %w", t.nodes[i], err)
}

// named is how a command names the queue, or each of them.
func (t *targets) named() string {
	if t.nodes == nil {
		return t.names[0]
	}
	return "QUEUE"
}

// where says of a batch in whose queues it is, if it was not one that was named.
func (t *targets) where() string {
	if t.nodes == nil {
		return ""
	}
	return " of the queues " + strings.Join(t.names, ", ")
}

func (t *targets) close() {
	for _, q := range t.queues {
		_ = q.Close()
	}
}

// on says where the items went, if it was not one queue that was named.
func (t *targets) on() string {
	if t.nodes == nil {
		return ""
	}
	if len(t.nodes) == 1 {
		return ", on node " + t.nodes[0]
	}
	return fmt.Sprintf(", on each of %d nodes: %s", len(t.nodes), strings.Join(t.nodes, ", "))
}
