package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/internal/payload"
	"sluice.dev/internal/printer"
	"sluice.dev/manifests/workload"
	"sluice.dev/producer"
	"sluice.dev/queue"
	"sluice.dev/worker/template"
)

// enqueueFlags are what "sluice enqueue" was told.
type enqueueFlags struct {
	storeFlags
	policyFlags
	sourceFlags
	priority int
	delay    time.Duration
	batch    string
	after    string
	deadline time.Duration
	output   string
	existing string
	numbered bool
	format   string
	eachNode bool
}

func enqueueCommand() *cobra.Command {
	f := &enqueueFlags{existing: "fail", format: "table"}
	cmd := &cobra.Command{
		Use:   "enqueue QUEUE [flags]",
		Short: "Add items to a queue, for workers anywhere",
		Long: `Add items to a queue, for workers anywhere.

Items are the lines of --items FILE or of standard input, the files that --glob
matches, the objects of --jsonl, the rows of --csv, --frames, or all combinations
of the values of --arg; {name} is a field in --output, and in the command of
'sluice work'. They join a batch, which is sealed when the input ends, so
that 'sluice wait batch' can tell when all of it is done. An item that the queue
knows already is a duplicate and changes nothing.

With --each-node every node that has a worker of a WorkQueue with mode PerNode
gets its own copy of each item, in a queue of its own, QUEUE.node.NODE, and does
it once; its batch there is waited for with 'sluice wait batch NAME -q' that queue.
A node that comes later gets none. When a node is gone, what it has not done is
cancelled.

The queue keeps the values of --lease, --backoff-limit and the like; one that
differs from what it keeps is refused ('sluice set queue' changes it).

Exit code: 0 also when all are duplicates, 1 when an item was refused, 2 bad
usage or input, 3 the store failed.`,
		Example: `  sluice enqueue films --glob 'in/*.wav' --output 'out/{/.}.ogg'
  seq 1 48 | sluice enqueue frames --batch monday --priority 8
  sluice enqueue caches --each-node --items images.txt`,
		Args: words("QUEUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, bare("queue", args[0]))
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.sourceFlags.register(fs)
	fs.BoolVar(&f.numbered, "numbered", false, "a line's number is part of its item, for commands with {#}: the same line twice is two items")
	fs.Var(intValue{&f.priority, 1, queue.MaxPriority}, "priority", "9 is the most urgent (default 5)")
	fs.Var(durationValue{&f.delay, time.Millisecond, 365 * day}, "delay", "items are ready this long after they are added")
	fs.StringVar(&f.batch, "batch", "", "`NAME` of the batch that the items join (default: a new name)")
	fs.StringVar(&f.after, "after", "", "`BATCH` that must be Complete before these items are ready")
	fs.Var(durationValue{&f.deadline, time.Second, 365 * day}, "deadline", "what is unfinished then is cancelled, counted from when the batch is made")
	fs.StringVar(&f.output, "output", "", "`PATTERN` of the file or folder that an item publishes, such as 'out/{/.}.gz'; its command writes to {out}")
	fs.Var(choiceValue{&f.existing, []string{"fail", "skip", "replace"}}, "existing", "what to do about an output that is there already")
	fs.BoolVar(&f.eachNode, "each-node", false, "every node of a WorkQueue with mode PerNode gets its own copy of each item")
	f.policyFlags.register(fs)
	fs.VarP(choiceValue{&f.format, []string{"table", "name", "json"}}, "format", "o", "what to print of the batch")
	f.storeFlags.register(fs)
	return cmd
}

func (f *enqueueFlags) run(cmd *cobra.Command, name string) error {
	if err := f.check(); err != nil {
		return err
	}
	in, err := f.sourceFlags.open()
	if err != nil {
		return usage(err)
	}
	maker, err := f.maker(in.fields)
	if err != nil {
		return usage(err)
	}
	p, err := f.find()
	if err != nil {
		return err
	}
	to, err := f.target(cmd.Context(), p, name)
	if err != nil {
		return err
	}
	defer to.close()

	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	outputs := f.outputs(to.queues[0]) // the only one, where an item may have an output
	if in.toCheck(f.output) {
		// What can be read twice is checked whole before any of it is added.
		if _, err := producer.Check(ctx, in.Source, maker, outputs); err != nil {
			return inputError(err)
		}
	}
	if err := to.each(func(q *queue.Queue) error { return f.prepare(ctx, q, cmd) }); err != nil {
		return err
	}
	report, err := producer.Enqueue(ctx, to, in.Source, maker, producer.EnqueueOptions{Outputs: outputs})
	if err == nil {
		err = to.each(func(q *queue.Queue) error { return q.Seal(ctx, f.batch) })
	}
	if err != nil {
		return f.failed(ctx, err, report, to)
	}
	return f.print(cmd, report, to)
}

// failed says what an enqueue that came to no end has left, and how to be rid of
// it.
func (f *enqueueFlags) failed(ctx context.Context, err error, r producer.Report, to *targets) error {
	_, unsure := errors.AsType[*producer.StoreError](err)
	unsure = unsure || len(to.queues) > 1 // one may have it, and the next refuse it
	refusal, isRefusal := errors.AsType[*producer.Refused](err)
	e := &exitError{exitUsage, err}
	switch {
	case ctx.Err() != nil:
		e.code = exitInterrupted
	default:
		_ = errors.As(inputError(err), &e)
	}
	switch {
	case isRefusal && refusal.Outcome == queue.BatchClosed && to.nodes == nil: // it is somebody's, and as it was
	case r.Items == 0 && !unsure:
		e.err = fmt.Errorf("%w; nothing was enqueued", err)
	default:
		if to.refused != "" {
			err = fmt.Errorf("node %s: %w", to.refused, err)
		}
		e.err = fmt.Errorf("%w; before it %s went into batch %s%s, which is not sealed: 'sluice cancel batch %s -q %s' cancels it",
			err, r, f.batch, to.where(), f.batch, to.named())
	}
	return e
}

// check looks at the names before anything is opened, and chooses one for a
// batch that has none.
func (f *enqueueFlags) check() error {
	if f.batch == "" {
		f.batch = "b-" + strings.ToLower(rand.Text()[:10])
	}
	f.after = bare("batch", f.after)
	if err := queue.ValidateName("batch", f.batch); err != nil {
		return usagef("--batch: %w", err)
	}
	if f.after != "" {
		if err := queue.ValidateName("batch", f.after); err != nil {
			return usagef("--after: %w", err)
		}
	}
	if f.eachNode && f.output != "" {
		return usagef("--output %q: not with --each-node: each node has its own files, which are not looked at from here; the command can write where it likes", f.output)
	}
	if f.eachNode && (f.batch == workload.ResidentBatch || f.batch == workload.GoneBatch) {
		return usagef("--batch %q: the coordinator marks nodes with it: any other name is allowed with --each-node", f.batch)
	}
	if f.output == "" && f.existing != "fail" {
		return usagef("--existing %q: without --output there is nothing that may exist", f.existing)
	}
	return nil
}

// prepare states the queue's policy and opens the batch, where there is
// something to say of them.
func (f *enqueueFlags) prepare(ctx context.Context, q *queue.Queue, cmd *cobra.Command) error {
	if p, stated := f.policy(cmd.Flags()); stated {
		if _, err := q.SetPolicy(ctx, p, false); err != nil {
			return told(err)
		}
	}
	if f.after == "" && f.deadline == 0 {
		return nil
	}
	err := q.OpenBatch(ctx, queue.Batch{Name: f.batch, After: f.after, Deadline: f.deadline})
	return refused(err)
}

// outputs treats an output as the item's own if the queue knows the item.
func (f *enqueueFlags) outputs(q *queue.Queue) producer.Outputs {
	return producer.Outputs{
		Existing: producer.Existing(f.existing),
		Ours: func(ctx context.Context, it queue.Item) (bool, error) {
			known, err := q.Items(ctx, queue.Query{ID: it.ID})
			return len(known) > 0, err
		},
	}
}

func (f *enqueueFlags) maker(names fields) (*producer.Maker, error) {
	o := producer.MakerOptions{
		Batch: f.batch, Priority: f.priority, Delay: f.delay,
		Content: f.identity == "content", Numbered: f.numbered, InputField: f.sourceFlags.input,
	}
	if f.output != "" {
		pattern, err := template.ParsePattern(f.output, names.options())
		if err != nil {
			return nil, fmt.Errorf("--output: %w", err)
		}
		o.Output = func(pl payload.Payload) (string, error) { return pattern.Expand(pl) }
		o.Numbered = o.Numbered || strings.Contains(pattern.String(), "{#}")
	}
	return producer.NewMaker(o)
}

// print says what was added, under the batch's name.
func (f *enqueueFlags) print(cmd *cobra.Command, r producer.Report, to *targets) error {
	switch f.format {
	case "name":
		return say(cmd, "batch/%s", f.batch)
	case "json":
		p := printer.Printer{W: cmd.OutOrStdout(), Format: printer.JSONFormat, Single: true}
		value := map[string]any{
			"batch": f.batch, "lines": r.Lines, "items": r.Items, "duplicates": r.Duplicates, "skipped": r.Skipped,
		}
		if f.eachNode {
			value["nodes"], value["queues"] = to.nodes, to.names
		}
		return p.Print([]printer.Row{{Value: value}})
	}
	return say(cmd, "batch/%s: %s%s", f.batch, r, to.on())
}

// inputError gives an error of enqueueing the exit code that it stands for.
func inputError(err error) error {
	if _, store := errors.AsType[*producer.StoreError](err); store || errors.Is(err, queue.ErrUnavailable) {
		return &exitError{exitStore, err}
	}
	if _, ok := errors.AsType[*producer.Refused](err); ok {
		return &exitError{exitRefused, err}
	}
	return usage(err)
}
