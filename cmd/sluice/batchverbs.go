package main

import (
	"github.com/spf13/cobra"

	"sluice.dev/queue"
)

func cancelCommand() *cobra.Command {
	return group("cancel", "Cancel what is unfinished of a batch, or items",
		batchCommand(queue.CancelBatch, "cancelled", "Cancel what is unfinished of a batch; who works on it loses the lease"), cancelItemsCommand())
}

func deleteCommand() *cobra.Command {
	return group("delete", "Forget a queue, a batch or items",
		deleteQueueCommand(), batchCommand(queue.DeleteBatch, "deleted", "Forget a batch with its items, the done ones too: their ids are new again"), deleteItemsCommand())
}

func suspendCommand() *cobra.Command {
	return group("suspend", "Hold the ready items of a batch", batchCommand(queue.SuspendBatch, "suspended", "Hold the ready items of a batch"))
}

func sealCommand() *cobra.Command {
	f := &queueFlags{}
	cmd := &cobra.Command{
		Use: "batch NAME", Short: "Say that nothing more joins a batch, as when its producer has died", Args: words("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := bare("batch", args[0])
			return f.do(cmd, func(q *queue.Queue) error {
				if _, err := findBatch(cmd.Context(), q, name); err != nil {
					return err
				}
				if err := q.Seal(cmd.Context(), name); err != nil {
					return err
				}
				return say(cmd, "batch/%s sealed", name)
			})
		},
	}
	f.register(cmd.Flags())
	return group("seal", "Say that nothing more joins a batch", noun(cmd))
}

// batchCommand does a verb to a batch.
func batchCommand(v queue.BatchVerb, done, short string) *cobra.Command {
	f := &queueFlags{}
	cmd := &cobra.Command{
		Use: "batch NAME", Short: short, Args: words("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.do(cmd, func(q *queue.Queue) error { return changeBatch(cmd, q, bare("batch", args[0]), v, done) })
		},
	}
	f.register(cmd.Flags())
	return noun(cmd)
}

func changeBatch(cmd *cobra.Command, q *queue.Queue, name string, v queue.BatchVerb, done string) error {
	if _, err := findBatch(cmd.Context(), q, name); err != nil {
		return err // with the name that may have been meant
	}
	if err := q.ChangeBatch(cmd.Context(), name, v); err != nil {
		return refused(err)
	}
	return say(cmd, "batch/%s %s", name, done)
}
