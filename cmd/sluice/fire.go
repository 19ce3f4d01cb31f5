package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/coordinator/kube"
	"sluice.dev/internal/triage"
	"sluice.dev/queue"
)

func fireCommand() *cobra.Command {
	return &cobra.Command{
		Use:    kube.FireVerb,
		Short:  "Make a batch of a WorkQueue's schedule, and wait for it",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   fire,
	}
}

// fire makes one batch of a schedule and ends as it ends: 0 Complete, 1 Failed,
// cancelled or refused, 2 a bad source, 3 the store failed, 75 told to stop. It
// may be started again for the same batch.
func fire(cmd *cobra.Command, _ []string) error {
	f, err := kube.ReadFiring(os.Getenv)
	if err != nil {
		return usage(err)
	}
	p, err := (&storeFlags{}).find()
	if err != nil {
		return err
	}
	q, err := p.open(cmd.Context(), f.WorkQueue.QueueName())
	if err != nil {
		return err
	}
	defer q.Close()
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	b, err := followFiring(ctx, cmd, q, f)
	switch {
	case ctx.Err() != nil:
		return &exitError{exitDrained, fmt.Errorf("batch %q: told to stop: what is enqueued of it goes on", f.Batch)}
	case err != nil:
		return err
	case !b.Complete():
		return &exitError{exitDead, fmt.Errorf("batch %q: %s: %s", b.Name, b.State(), batchCounts(b))}
	}
	return say(cmd, "batch/%s: %s: %s", b.Name, b.State(), batchCounts(b))
}

// followFiring makes the batch, unless it is there already, and waits for its
// end.
func followFiring(ctx context.Context, cmd *cobra.Command, q *queue.Queue, f kube.Firing) (queue.BatchInfo, error) {
	all, err := q.Batches(ctx)
	if err != nil {
		return queue.BatchInfo{}, inputError(err)
	}
	made := slices.ContainsFunc(all, func(b queue.BatchInfo) bool { return b.Name == f.Batch && (b.Sealed || b.Cancelled) })
	if !made {
		if err := clearFor(ctx, q, f, all, func(line string) error { return say(cmd, "%s", line) }); err != nil {
			return queue.BatchInfo{}, err
		}
		report, err := makeFiring(ctx, q, f)
		if err != nil {
			return queue.BatchInfo{}, inputError(err)
		}
		if err := say(cmd, "batch/%s: %s", f.Batch, report); err != nil {
			return queue.BatchInfo{}, err
		}
	}
	return waitBatch(ctx, q, f.Batch)
}

func makeFiring(ctx context.Context, q *queue.Queue, f kube.Firing) (report string, err error) {
	b := queue.Batch{Name: f.Batch}
	if s := f.WorkQueue.Spec.DeadlineSeconds; s != nil {
		b.Deadline = time.Duration(*s) * time.Second
	}
	if err := q.OpenBatch(ctx, b); err != nil {
		return "", err
	}
	report, err = enqueueSource(ctx, q, f.WorkQueue, f.Batch)
	if err != nil {
		return "", err
	}
	return report, q.Seal(ctx, f.Batch)
}

// clearFor makes room among the batches before: Replace cancels what of them is
// unfinished; of the Complete ones the newest are kept, as many as the limit
// says; those with dead items are a person's to delete. But where items name
// outputs that are to be made again, of those before nothing is kept that has
// ended: the store would refuse the output as another item's. What was dead of
// it is told.
func clearFor(ctx context.Context, q *queue.Queue, f kube.Firing, all []queue.BatchInfo, tell func(string) error) error {
	s := f.WorkQueue.Spec.Schedule
	keep := 3
	if n := s.SuccessfulJobsHistoryLimit; n != nil {
		keep = int(*n)
	}
	again := f.WorkQueue.Spec.ItemPolicy.Output != ""
	for _, b := range slices.Backward(f.Before(all)) { // the newest first
		var verbs []queue.BatchVerb
		if !ended(b) && f.Replaces() {
			verbs = append(verbs, queue.CancelBatch)
		}
		if b.Complete() {
			keep--
		}
		if again && (ended(b) || f.Replaces()) || b.Complete() && keep < 0 {
			verbs = append(verbs, queue.DeleteBatch)
		}
		if b.Depth.Dead > 0 && slices.Contains(verbs, queue.DeleteBatch) {
			if err := tellDead(ctx, q, b, tell); err != nil {
				return err
			}
		}
		for _, verb := range verbs {
			err := q.ChangeBatch(ctx, b.Name, verb)
			if err != nil && !errors.Is(err, queue.ErrNotFound) && !errors.Is(err, queue.ErrCommitted) {
				return inputError(fmt.Errorf("%s batch %s, of before: %w", verb, b.Name, err))
			}
		}
	}
	return nil
}

// tellDead says what the dead items of a batch died of, before it is deleted.
func tellDead(ctx context.Context, q *queue.Queue, b queue.BatchInfo, tell func(string) error) error {
	list, err := q.Items(ctx, queue.Query{States: []queue.State{queue.Dead}, Batch: b.Name})
	if err != nil {
		return inputError(err)
	}
	groups := triage.Groups(list)
	for _, g := range groups[:min(len(groups), maxGroups)] {
		line := fmt.Sprintf("batch/%s, of before, is deleted with %d dead of %s, such as item %s", b.Name, len(g.Records), g.Signature, g.Records[0].Item.ID)
		if err := tell(line); err != nil {
			return err
		}
	}
	if more := len(groups) - maxGroups; more > 0 {
		return tell(fmt.Sprintf("batch/%s: and %d other reasons", b.Name, more))
	}
	return nil
}
