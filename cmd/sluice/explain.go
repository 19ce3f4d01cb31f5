package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/coordinator/kube"
	"sluice.dev/internal/plain"
	"sluice.dev/manifests/workload"
)

func explainCommand() *cobra.Command {
	f := &clusterFlags{}
	cmd := &cobra.Command{
		Use:   "explain WORKQUEUE",
		Short: "Say why a WorkQueue of a cluster has as many workers as it has",
		Long: `Say why a WorkQueue of a cluster has as many workers as it has: what the
coordinator saw, what it did, and the rule behind each decision.

Exit code: 0 said, 1 there is no such WorkQueue, 2 bad usage, 3 the cluster does
not answer.`,
		Example: "  sluice explain film -n renders",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("WORKQUEUE is missing, or there is more than one: one name is allowed")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := f.workQueue(cmd.Context(), bare("workqueue", args[0]))
			if err != nil {
				return err
			}
			return explain(cmd.OutOrStdout(), w, time.Now())
		},
	}
	f.register(cmd.Flags(), "`NAMESPACE` of the WorkQueue (default: the context's)", "")
	return cmd
}

// workQueue reads a WorkQueue.
func (f *clusterFlags) workQueue(ctx context.Context, name string) (*workload.WorkQueue, error) {
	c, err := f.find()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	w, err := c.WorkQueue(ctx, f.namespace, name)
	switch {
	case errors.Is(err, kube.ErrNotFound):
		return nil, &exitError{exitRefused, err}
	case err != nil:
		return nil, &exitError{exitStore, err}
	}
	return w, nil
}

// explain prints what a coordinator wrote down.
func explain(out io.Writer, w *workload.WorkQueue, now time.Time) error {
	s := &w.Status
	if s.ObservedGeneration == 0 {
		_, err := fmt.Fprintf(out, "WorkQueue %s: no coordinator has looked at it yet\n", w.Name)
		return err
	}
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "WorkQueue\t%s/%s, queue %s\n", w.Namespace, w.Name, w.QueueName())
	if s.ObservedGeneration != w.Generation {
		fmt.Fprintf(t, "Seen\tnot as it is now: generation %d of %d\n", s.ObservedGeneration, w.Generation)
	}
	for _, c := range s.Conditions {
		if c.Type == kube.StoreReachable && c.Status != "True" {
			fmt.Fprintln(t, "Seen\twhen the queue could last be read")
		}
	}
	if d := s.Depth; d != nil {
		fmt.Fprintf(t, "Items\t%d ready (%d held), %d leased, %d delayed, %d blocked, %d done, %d dead, %d cancelled\n",
			d.Ready, d.Held, d.Leased, d.Delayed, d.Blocked, d.Done, d.Dead, d.Cancelled)
	}
	n := s.Workers
	fmt.Fprintf(t, "Workers\t%d: %d pending, %d starting, %d running, %d of them busy; %d leaving\n", n.Live, n.Pending, n.Starting, n.Running, n.Busy, n.Leaving)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(out, "\nConditions\n")
	for _, c := range s.Conditions {
		no, why := "", ""
		if c.Status != "True" {
			no = "not "
		}
		if c.Message != "" {
			why = "\t" + plain.Text(c.Message)
		}
		fmt.Fprintf(t, "  %s%s\t%s%s\n", no, c.Type, c.Reason, why)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(out, "\nDecisions, newest first\n")
	for _, d := range s.Decisions {
		fmt.Fprintf(t, "  %s ago\t%s\t%s\n", short(now.Sub(d.Time.Time).Round(time.Second)), plain.Text(d.Did), plain.Text(strings.TrimSpace(d.Rule)))
	}
	return t.Flush()
}
