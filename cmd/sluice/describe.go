package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sluice.dev/internal/console"
	"sluice.dev/internal/plain"
	"sluice.dev/internal/triage"
	"sluice.dev/queue"
)

func describeCommand() *cobra.Command {
	return group("describe", "Tell all about a queue, a batch, an item or a worker",
		describeQueueCommand(), describeOne("batch NAME", describeBatch), describeOne("item ID", describeItem), describeOne("worker NAME", describeWorker))
}

func describeQueueCommand() *cobra.Command {
	f := &storeFlags{}
	cmd := &cobra.Command{
		Use: "queue NAME", Short: "Tell all about a queue", Args: words("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := bare("queue", args[0])
			return f.with(cmd.Context(), name, func(q *queue.Queue) error {
				var s sheet
				if err := describeQueue(cmd.Context(), q, name, &s); err != nil {
					return err
				}
				return s.print(cmd)
			})
		},
	}
	f.register(cmd.Flags())
	return noun(cmd)
}

// describeOne is the describe of something that a queue holds.
func describeOne(use string, describe func(ctx context.Context, q *queue.Queue, name string, s *sheet) error) *cobra.Command {
	f := &queueFlags{}
	kind, name, _ := strings.Cut(use, " ")
	cmd := &cobra.Command{
		Use: use, Short: "Tell all about one of the " + plurals[kind] + " of a queue", Args: words(name),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.do(cmd, func(q *queue.Queue) error {
				var s sheet
				if err := describe(cmd.Context(), q, bare(kind, args[0]), &s); err != nil {
					return err
				}
				return s.print(cmd)
			})
		},
	}
	f.register(cmd.Flags())
	return noun(cmd)
}

// sheet is named values, one a line, with blocks of text between.
type sheet struct{ bytes.Buffer }

func (s *sheet) line(name, format string, args ...any) {
	fmt.Fprintf(s, "%s:\t%s\n", name, plain.Text(fmt.Sprintf(format, args...)))
}

// text adds lines as they are, but for what could drive a terminal.
func (s *sheet) text(indent, lines string) {
	for line := range strings.Lines(lines) {
		fmt.Fprintf(s, "%s%s\n", indent, plain.Text(strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")))
	}
}

func (s *sheet) print(cmd *cobra.Command) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 3, ' ', 0)
	if _, err := w.Write(s.Bytes()); err != nil {
		return err
	}
	return w.Flush()
}

func (s *sheet) depth(d queue.Depth) {
	ready := number(d.Ready)
	if d.Held > 0 {
		ready += fmt.Sprintf(" (%d held: paused or suspended)", d.Held)
	}
	s.line("Ready", "%s", ready)
	for _, n := range []struct {
		name string
		v    int64
	}{
		{"Leased", d.Leased}, {"Delayed", d.Delayed}, {"Blocked", d.Blocked}, {"Done", d.Done},
		{"Dead", d.Dead}, {"Cancelled", d.Cancelled}, {"Total", d.Total()},
	} {
		s.line(n.name, "%d", n.v)
	}
}

func describeQueue(ctx context.Context, q *queue.Queue, name string, s *sheet) error {
	d, err := q.Depth(ctx)
	if err != nil {
		return err
	}
	p, err := q.SetPolicy(ctx, queue.Policy{}, false)
	if err != nil {
		return err
	}
	batches, err := q.Batches(ctx)
	if err != nil {
		return err
	}
	workers, err := q.Workers(ctx)
	if err != nil {
		return err
	}
	s.line("Name", "%s", name)
	s.line("State", "%s", queueState(d))
	s.depth(d)
	if d.NextDue >= 0 {
		s.line("Next due", "in %s", console.Duration(d.NextDue))
	}
	s.line("Batches", "%d", len(batches))
	s.line("Workers", "%d live of %d heard of within the hour", live(workers), len(workers))
	s.line("Lease", "%s", short(p.Lease))
	s.line("Backoff limit", "%d", *p.BackoffLimit)
	s.line("Retry delay", "%s, doubled up to %s", short(p.RetryDelay), short(p.RetryDelayMax))
	s.line("Disruption limit", "%d", *p.DisruptionLimit)
	s.line("Retention", "%s", short(p.Retention))
	return s.dead(ctx, q, "")
}

// maxGroups is how many reasons of death a description shows.
const maxGroups = 10

// dead adds why items died.
func (s *sheet) dead(ctx context.Context, q *queue.Queue, batch string) error {
	list, err := q.Items(ctx, queue.Query{States: []queue.State{queue.Dead}, Batch: batch})
	if err != nil || len(list) == 0 {
		return err
	}
	groups := triage.Groups(list)
	s.text("", "Dead items:")
	for _, g := range groups[:min(len(groups), maxGroups)] {
		s.text("  ", fmt.Sprintf("%d of %s, such as item %s", len(g.Records), g.Signature, g.Records[0].Item.ID))
	}
	if more := len(groups) - maxGroups; more > 0 {
		s.text("  ", fmt.Sprintf("and %d other reasons", more))
	}
	return nil
}

func describeBatch(ctx context.Context, q *queue.Queue, name string, s *sheet) error {
	b, err := findBatch(ctx, q, name)
	if err != nil {
		return err
	}
	s.line("Name", "%s", b.Name)
	s.line("State", "%s", b.State())
	s.line("Sealed", "%t", b.Sealed)
	s.line("Suspended", "%t", b.Suspended)
	if b.Reason != "" {
		s.line("Cancelled for", "%s", b.Reason)
	}
	if b.After != "" {
		s.line("After", "%s", b.After)
	}
	s.line("Age", "%s", console.Duration(b.Age))
	if b.Deadline > 0 {
		s.line("Deadline", "in %s", console.Duration(b.Deadline))
	}
	s.depth(b.Depth)
	if b.Depth.Dead == 0 {
		return nil
	}
	return s.dead(ctx, q, name)
}

func describeItem(ctx context.Context, q *queue.Queue, id string, s *sheet) error {
	list, err := q.Items(ctx, queue.Query{ID: id})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return notFound("item", id, nil)
	}
	r := list[0]
	s.line("ID", "%s", r.Item.ID)
	s.line("State", "%s", r.State)
	s.line("Argument", "%s", argument(r.Item))
	if r.Item.Output != "" {
		s.line("Output", "%s", r.Item.Output)
	}
	if r.Item.Batch != "" {
		s.line("Batch", "%s", r.Item.Batch)
	}
	s.line("Priority", "%d", r.Item.Priority)
	s.line("Attempts", "%d", r.Attempts)
	s.line("Releases", "%d", r.Releases)
	if r.Worker != "" {
		s.line("Worker", "%s", r.Worker)
		s.line("Token", "%d", r.Token)
		s.line("Lease ends", "in %s, unless it is renewed", console.Duration(r.Due))
	} else if r.Due > 0 {
		s.line("Ready", "in %s", console.Duration(r.Due))
	}
	if len(r.Result) > 0 {
		s.line("Result", "%s", r.Result)
	}
	if len(r.Failures) > 0 {
		s.text("", "Failures, the oldest first:")
	}
	for _, f := range r.Failures {
		s.text("  ", f.String())
		s.text("    ", f.Stderr)
	}
	return nil
}

func describeWorker(ctx context.Context, q *queue.Queue, name string, s *sheet) error {
	workers, err := q.Workers(ctx)
	if err != nil {
		return err
	}
	var known []string
	for _, w := range workers {
		known = append(known, w.ID)
		if w.ID != name {
			continue
		}
		s.line("Name", "%s", w.ID)
		s.line("State", "%s", workerState(w))
		s.line("Seen", "%s ago", console.Duration(w.Seen))
		s.line("Leases", "%d", w.Leases)
		leased, err := q.Items(ctx, queue.Query{States: []queue.State{queue.Leased}})
		for _, r := range leased {
			if r.Worker == name {
				s.text("  ", fmt.Sprintf("item %s: %s", r.Item.ID, cut(argument(r.Item), 60)))
			}
		}
		return err
	}
	return notFound("worker", name, known)
}

// findBatch is the batch of a name.
func findBatch(ctx context.Context, q *queue.Queue, name string) (queue.BatchInfo, error) {
	list, err := q.Batches(ctx)
	if err != nil {
		return queue.BatchInfo{}, err
	}
	var known []string
	for _, b := range list {
		if b.Name == name {
			return b, nil
		}
		known = append(known, b.Name)
	}
	return queue.BatchInfo{}, notFound("batch", name, known)
}
