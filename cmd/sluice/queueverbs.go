package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sluice.dev/queue"
)

func pauseCommand() *cobra.Command {
	f := &storeFlags{}
	cmd := &cobra.Command{
		Use: "pause QUEUE", Short: "Stop claims from a queue; what is leased goes on", Args: words("QUEUE"),
		RunE: func(cmd *cobra.Command, args []string) error { return pause(cmd, f, args[0], true) },
	}
	f.register(cmd.Flags())
	return cmd
}

// resumeCommand ends a pause of a queue, or as "resume batch" a suspension.
func resumeCommand() *cobra.Command {
	f := &storeFlags{}
	cmd := &cobra.Command{
		Use: "resume QUEUE", Short: "Let claims from a paused queue, or of a suspended batch, go on", Args: words("QUEUE"),
		RunE: func(cmd *cobra.Command, args []string) error { return pause(cmd, f, args[0], false) },
	}
	f.register(cmd.Flags())
	cmd.AddCommand(batchCommand(queue.ResumeBatch, "resumed", "Let the held items of a batch go on"))
	return cmd
}

func pause(cmd *cobra.Command, f *storeFlags, name string, paused bool) error {
	name = bare("queue", name)
	return f.with(cmd.Context(), name, func(q *queue.Queue) error {
		if err := q.Pause(cmd.Context(), paused); err != nil {
			return err
		}
		if paused {
			return say(cmd, "queue/%s paused", name)
		}
		return say(cmd, "queue/%s resumed", name)
	})
}

func setCommand() *cobra.Command {
	f := &storeFlags{}
	var policy policyFlags
	var force bool
	cmd := &cobra.Command{
		Use: "queue QUEUE", Short: "Say how a queue treats its items", Args: words("QUEUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			given, stated := policy.policy(cmd.Flags())
			if !stated {
				return usagef("nothing to set: say --lease, --backoff-limit, --retry-delay, --retry-delay-max, --disruption-limit or --retention")
			}
			name := bare("queue", args[0])
			return f.with(cmd.Context(), name, func(q *queue.Queue) error {
				_, err := q.SetPolicy(cmd.Context(), given, force)
				if _, conflict := errors.AsType[*queue.PolicyConflict](err); conflict {
					return usagef("%w (with --force)", err)
				}
				if err != nil {
					return err
				}
				return say(cmd, "queue/%s set", name)
			})
		},
	}
	cmd.Flags().SortFlags = false
	policy.register(cmd.Flags())
	cmd.Flags().BoolVar(&force, "force", false, "also where the queue keeps another value already")
	f.register(cmd.Flags())
	return group("set", "Say how a queue treats its items", noun(cmd))
}

func deleteQueueCommand() *cobra.Command {
	f := &storeFlags{}
	var yes bool
	cmd := &cobra.Command{
		Use: "queue QUEUE", Short: "Forget a queue with all that it holds", Args: words("QUEUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := bare("queue", args[0])
			return f.with(cmd.Context(), name, func(q *queue.Queue) error {
				if !yes {
					d, err := q.Depth(cmd.Context())
					if err != nil {
						return err
					}
					ok, err := confirm(cmd, fmt.Sprintf("delete queue %s with %d items, %d of them not finished?", name, d.Total(), d.Unfinished()))
					if err != nil || !ok {
						return err
					}
				}
				if err := q.Drop(cmd.Context()); err != nil {
					return err
				}
				return say(cmd, "queue/%s deleted", name)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	f.register(cmd.Flags())
	return noun(cmd)
}
