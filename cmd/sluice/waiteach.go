package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"sluice.dev/queue"
)

// eachNodes waits for a batch in the queue of each node that has it, and says of
// each how it ended there.
func (f *waitFlags) eachNodes(ctx context.Context, cmd *cobra.Command, name string) error {
	p, err := f.find()
	if err != nil {
		return err
	}
	t, err := batchOfNodes(cmd.Context(), p, bare("queue", f.queue), name)
	if err != nil {
		return err
	}
	defer t.close()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var undone, late []string
	for l := range lastOf(ctx, t, name) {
		node := t.nodes[l.i]
		switch {
		case err != nil:
			continue // the others are told to end
		case timedOut(ctx, l.b):
			late = append(late, node)
		case l.err != nil:
			err = told(t.of(l.i, l.err))
		case !l.b.Complete():
			undone = append(undone, node)
		}
		if err == nil {
			err = say(cmd, "node %s: %s", node, batchLine(l.b))
		}
		if err != nil {
			cancel()
		}
	}
	of := func(nodes []string) string {
		slices.Sort(nodes)
		return fmt.Sprintf("on %d of %d nodes: %s", len(nodes), len(t.nodes), strings.Join(nodes, ", "))
	}
	switch {
	case err != nil:
		return err
	case len(undone) > 0:
		return &exitError{exitDead, fmt.Errorf("batch %q: Failed or cancelled %s", name, of(undone))}
	case len(late) > 0:
		return &exitError{exitTimedOut, fmt.Errorf("batch %q: %w after %s %s", name, errTimedOut, short(f.timeout), of(late))}
	}
	return nil
}

// lastBatch is a batch of the i-th queue as it was last, and why it is not waited
// for any more if it has not ended.
type lastBatch struct {
	i   int
	b   queue.BatchInfo
	err error
}

// lastOf waits for a batch in all queues. What it returns has one answer of each,
// as they come, and is closed then.
func lastOf(ctx context.Context, t *targets, name string) <-chan lastBatch {
	answers := make(chan lastBatch, len(t.queues))
	var all sync.WaitGroup
	for i, q := range t.queues {
		all.Go(func() {
			b, err := waitBatch(ctx, q, name)
			b.Name = name // also where the store never answered
			answers <- lastBatch{i, b, err}
		})
	}
	go func() {
		all.Wait()
		close(answers)
	}()
	return answers
}

// batchOfNodes opens the queues of the nodes that have a batch, be they gone
// since.
func batchOfNodes(ctx context.Context, p place, name, batch string) (*targets, error) {
	nodes, known := 0, make(map[string]bool)
	t, err := eachNode(ctx, p, name, func(list []queue.BatchInfo) bool {
		if !resident(list) {
			return false
		}
		nodes++
		for _, b := range list {
			known[b.Name] = true
		}
		return hasBatch(list, batch)
	})
	switch {
	case err != nil:
		return nil, err
	case nodes == 0:
		return nil, noNodes(name)
	case len(t.queues) == 0:
		return nil, notFound("batch", batch, slices.Sorted(maps.Keys(known)))
	}
	return t, nil
}
