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

func waitBatchCommand() *cobra.Command {
	f := &queueFlags{}
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "batch NAME", Short: "Wait until a batch has ended", Args: words("NAME"),
		Long: `Wait until a batch has ended: until it is sealed and all of its items are done,
or nothing is left of it that can run.

Exit code: 0 Complete, 1 Failed or cancelled, 3 the store failed, 4 timed out.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.do(cmd, func(q *queue.Queue) error {
				ctx := cmd.Context()
				if timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeoutCause(ctx, timeout, errTimedOut)
					defer cancel()
				}
				b, err := waitBatch(ctx, q, bare("batch", args[0]))
				switch {
				case errors.Is(context.Cause(ctx), errTimedOut) && !ended(b):
					return &exitError{exitTimedOut, fmt.Errorf("batch %q: %w after %s: %s", args[0], errTimedOut, short(timeout), batchCounts(b))}
				case err != nil:
					return err
				case !b.Complete():
					return &exitError{exitDead, fmt.Errorf("batch %q: %s: %s", b.Name, b.State(), batchCounts(b))}
				}
				return say(cmd, "batch/%s: %s: %s", b.Name, b.State(), batchCounts(b))
			})
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().Var(durationValue{&timeout, time.Millisecond, 365 * day}, "timeout", "give up after this long (default: never)")
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

func batchCounts(b queue.BatchInfo) string {
	d := b.Depth
	return fmt.Sprintf("%d of %d done, %d dead, %d cancelled", d.Done, d.Total(), d.Dead, d.Cancelled)
}
