package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/queue"
)

func waitCommand() *cobra.Command {
	return group("wait", "Wait until a batch has ended", waitBatchCommand())
}

// waitFlags are what "sluice wait batch" was told.
type waitFlags struct {
	queueFlags
	eachNode bool
	timeout  time.Duration
}

func waitBatchCommand() *cobra.Command {
	f := &waitFlags{}
	cmd := &cobra.Command{
		Use: "batch NAME", Short: "Wait until a batch has ended", Args: words("NAME"),
		Long: `Wait until a batch has ended: until it is sealed and all of its items are done,
or nothing is left of it that can run.

With --each-node that is the batch which 'sluice enqueue --each-node' has made in
the queue of each node of a WorkQueue with mode PerNode: it is waited for in all
that have it, and a line tells of each node how it ended there. Of a node that is
gone it was cancelled.

Exit code: 0 Complete, 1 Failed or cancelled, 3 the store failed, 4 timed out.`,
		Example: `  sluice wait batch nightly -q films --timeout 1h
  sluice wait batch monday -q caches --each-node`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, name := cmd.Context(), bare("batch", args[0])
			if f.timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, f.timeout, errTimedOut)
				defer cancel()
			}
			if f.eachNode && f.queue != "" {
				return f.eachNodes(ctx, cmd, name)
			}
			return f.do(cmd, func(q *queue.Queue) error {
				b, err := waitBatch(ctx, q, name)
				switch {
				case timedOut(ctx, b):
					return &exitError{exitTimedOut, fmt.Errorf("batch %q: %w after %s: %s", name, errTimedOut, short(f.timeout), batchCounts(b))}
				case err != nil:
					return err
				case !b.Complete():
					return &exitError{exitDead, fmt.Errorf("batch %q: %s: %s", b.Name, b.State(), batchCounts(b))}
				}
				return say(cmd, "%s", batchLine(b))
			})
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&f.eachNode, "each-node", false, "wait in the queue of every node of a WorkQueue with mode PerNode that has the batch")
	cmd.Flags().Var(durationValue{&f.timeout, time.Millisecond, 365 * day}, "timeout", "give up after this long (default: never)")
	return noun(cmd)
}

var errTimedOut = errors.New("timed out")

// waitBatch returns the batch when it has ended, or with an error as it was
// last seen. While the store does not answer it goes on.
func waitBatch(ctx context.Context, q *queue.Queue, name string) (last queue.BatchInfo, err error) {
	next := changes(q)
	for {
		b, err := findBatch(ctx, q, name)
		switch {
		case err == nil && ended(b):
			return b, nil
		case err == nil:
			last = b
			err = next(ctx)
		}
		if errors.Is(err, queue.ErrUnavailable) && ctx.Err() == nil {
			err = tick(ctx)
		}
		if err != nil {
			return last, err
		}
	}
}

// ended tells whether nothing more becomes of a batch by itself.
func ended(b queue.BatchInfo) bool { return b.Complete() || b.Cancelled || b.Failed() }

// timedOut tells whether a batch had not ended when there was no time left.
func timedOut(ctx context.Context, b queue.BatchInfo) bool {
	return errors.Is(context.Cause(ctx), errTimedOut) && !ended(b)
}

func batchLine(b queue.BatchInfo) string {
	return fmt.Sprintf("batch/%s: %s: %s", b.Name, b.State(), batchCounts(b))
}

func batchCounts(b queue.BatchInfo) string {
	d := b.Depth
	return fmt.Sprintf("%d of %d done, %d dead, %d cancelled", d.Done, d.Total(), d.Dead, d.Cancelled)
}
