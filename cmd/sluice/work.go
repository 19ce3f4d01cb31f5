package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"sluice.dev/internal/console"
	"sluice.dev/internal/payload"
	"sluice.dev/internal/proc"
	"sluice.dev/queue"
	"sluice.dev/worker"
	"sluice.dev/worker/command"
	"sluice.dev/worker/publish"
	"sluice.dev/worker/template"
)

// workFlags are what "sluice work" was told.
type workFlags struct {
	itemFlags
	storeFlags
	concurrency int
	lease       time.Duration
	untilEmpty  bool
	untilIdle   time.Duration
}

func workCommand() *cobra.Command {
	f := &workFlags{concurrency: runtime.NumCPU()}
	cmd := &cobra.Command{
		Use:   "work QUEUE[=WEIGHT]... [flags] -- COMMAND...",
		Short: "Run a command for each item of one or more queues, until told to stop",
		Long: `Run a command for each item of one or more queues, until told to stop.

Several queues share the slots by their weights, 1 to 100 (1 unless set): while
all have work, a queue of weight 3 gets three times the time of one of weight 1.

The command is as in 'sluice run'; {out} is where it writes the output that the
item was enqueued with, or, if it was enqueued without one, that of --output.
The store refuses two items with one output when they are enqueued; of two that
--output gives the same, the second is dead and nothing is replaced.

SIGTERM or Ctrl-C has it take nothing more and finish
what runs within --grace; a second one gives that back at once. When it has ended
the store lists it as Left.

Each attempt that fails has a line on stderr, with its reason and whether the item
is retried or dead, ten a second at the most; the last line has the counts.

Exit code: 0 allowed to leave or nothing was left, 75 stopped with work left,
2 bad usage or the command cannot start, 3 the store failed.`,
		Example: `  sluice work films -- ffmpeg -nostdin -v error -y -i {} {out}
  sluice work frames --concurrency 4 --until-empty -- ./render {}
  sluice work wavs --output 'out/{/.}.ogg' -- oggenc -Q -o {out} {}
  sluice work urgent=9 nightly -- ./convert {}`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.Var(intValue{&f.concurrency, 1, worker.MaxSlots}, "concurrency", "how many items run at once")
	fs.BoolVar(&f.untilEmpty, "until-empty", false, "leave when nothing is left that may still be worked on by anyone")
	fs.Var(durationValue{&f.untilIdle, time.Millisecond, 365 * day}, "until-idle", "leave when there was nothing to claim for so long")
	fs.Var(durationValue{&f.lease, time.Second, day}, "lease", "how long a lease of the queue lasts unless it is renewed")
	f.itemFlags.register(fs)
	f.storeFlags.register(fs)
	return cmd
}

func (f *workFlags) run(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	switch {
	case len(args) == 0 || dash == 0:
		return usagef("QUEUE is missing")
	case dash < 0 || dash == len(args):
		return usagef("no command: put it after --, as in 'sluice work %s -- gzip -k {}'", args[0])
	case f.untilEmpty && f.untilIdle > 0:
		return usagef("--until-empty and --until-idle: one of them is allowed")
	}
	f.Argv = args[dash:]
	shares, err := parseShares(args[:dash])
	if err != nil {
		return usage(err)
	}
	p, err := f.find()
	if err != nil {
		return err
	}
	if first, err := asFirst(); first {
		return err
	}
	_ = os.Unsetenv(storeVar) // items have no business with it

	c := console.New(console.Standard())
	log := slog.New(slog.NewTextHandler(prefixed{c}, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: terse}))
	err = f.work(cmd.Context(), p, shares, c, log)
	if e := c.Close(); e != nil && err == nil {
		err = &exitError{exitRefused, e}
	}
	return err
}

// work is the worker's life.
func (f *workFlags) work(ctx context.Context, p place, shares []share, c *console.Console, log *slog.Logger) error {
	id, err := workerID()
	if err != nil {
		return usage(err)
	}
	words := take(lastWordsVar)
	handler, err := f.handler(c, log)
	if err != nil {
		return usage(err)
	}
	defer handler.Close()
	var queues []*queue.Queue
	for _, s := range shares {
		q, err := p.open(ctx, s.queue)
		if err != nil {
			return err
		}
		defer q.Close()
		if f.lease > 0 {
			if _, err := q.SetPolicy(ctx, queue.Policy{Lease: f.lease}, false); err != nil {
				return told(err)
			}
		}
		queues = append(queues, q)
	}
	id, forget, err := incarnate(ctx, id, words, queues, log)
	if err != nil {
		return err
	}
	unguard, err := startGuard(id)
	if err != nil {
		return err
	}
	defer unguard()
	// What the items started and nobody waits for ends with the worker.
	defer sweepItems(id, log)

	group := worker.NewGroup(f.concurrency)
	report := newWorkReport(c)
	defer report.close()
	var posts []*post
	for i, q := range queues {
		name := shares[i].queue
		if len(shares) == 1 {
			name = ""
		}
		d := report.desk(name, func(ctx context.Context) (queue.Policy, error) {
			return q.SetPolicy(ctx, queue.Policy{}, false)
		})
		at := newPost(q, fmt.Sprintf("%s-%d", id, i+1), handler, f, c, d, log)
		posts = append(posts, at)
		group.Add(shares[i].weight, at.worker)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer f.heed(ctx, cancel, group, c)()
	if f.untilEmpty || f.untilIdle > 0 {
		for _, at := range posts {
			defer at.leave.watch(ctx, at.worker.Drain)()
		}
	}
	result, err := group.Run(ctx)
	if result != worker.ResultLeft {
		farewell(posts)
	}
	if err != nil {
		return &exitError{exitStore, err}
	}
	forget()
	if result == worker.ResultLeft { // a coordinator had the store let it go
		return nil
	}
	for _, at := range posts {
		if !at.leave.granted.Load() {
			if err := leftover(at.leave.q); err != nil {
				return err
			}
		}
	}
	return nil
}

// heed drains the worker at the first signal and stops its items at the
// second, until the function that it returns is called.
func (f *workFlags) heed(ctx context.Context, cancel context.CancelFunc, w *worker.Group, c *console.Console) (stop func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for drain := true; ; {
			select {
			case <-ctx.Done():
				return
			case s := <-signals:
				if s == syscall.SIGPIPE { // nobody reads what items write
					w.Drain()
					continue
				}
				if !drain {
					cancel()
					return
				}
				drain = false
				_, _ = fmt.Fprintf(c, "sluice: %s: running items have %s to finish; once more stops them now\n", s, short(f.Grace))
				w.Drain()
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		cancel()
		<-ended
	}
}

// leftover is the exit code of a worker that was told to stop.
func leftover(q *queue.Queue) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeLimit)
	defer cancel()
	d, err := q.Depth(ctx)
	if err != nil {
		return told(err)
	}
	if d.Unfinished() > 0 {
		return &exitError{code: exitDrained}
	}
	return nil
}

// handler is what runs for each item.
func (f *workFlags) handler(c *console.Console, log *slog.Logger) (*command.Handler, error) {
	t, err := template.Parse(f.Argv, template.Options{Shell: f.Shell, AnyField: true})
	if err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}
	output, err := f.outputs(t)
	if err != nil {
		return nil, err
	}
	return command.New(command.Options{
		Template: t, Output: output, Existing: publish.Existing(f.Existing),
		ItemDeadline: f.ItemDeadline, Stall: f.Stall, Grace: f.Grace,
		FailExitCodes: f.FailExitCodes, ReleaseExitCodes: f.ReleaseExitCodes,
		MinOutputBytes: int64(f.MinOutputBytes), Console: grouped{c}, Logger: log,
		Dir: os.Getenv(scratchVar),
	})
}

// scratchVar names the folder that holds what items print while they run, where
// that of temporary files is missing or may not be written to.
const scratchVar = "SLUICE_SCRATCH"

// outputs is what items publish that were enqueued without an output, nil for
// nothing. The store knows nothing of it, so that nothing but the file in its
// place keeps two items from one output: that one must not be replaced, and it
// must not pass for the second item's.
func (f *workFlags) outputs(t *template.Template) (*template.Pattern, error) {
	if f.Output == "" {
		return nil, nil
	}
	if !t.UsesOut() {
		return nil, fmt.Errorf("--output %q: the command has neither {out} nor {outdir}, so that nothing would be written there", f.Output)
	}
	if f.Existing != string(publish.ExistingFail) {
		return nil, fmt.Errorf("--existing %q: with --output only fail is allowed, since two items may come to one output here; say the output in 'sluice enqueue --output', where the store refuses that", f.Existing)
	}
	p, err := template.ParsePattern(f.Output, template.Options{AnyField: true})
	if err != nil {
		return nil, plainly("--output", "template: ", err)
	}
	return p, nil
}

// workerVar names the worker, for whoever started it and knows when it dies.
const workerVar = "SLUICE_WORKER_ID"

// workerID is the id that the environment gives, or a name that no other worker
// has or had.
func workerID() (string, error) {
	if id := take(workerVar); id != "" {
		if err := queue.ValidateWorker(id); err != nil {
			return "", fmt.Errorf("%s: %w", workerVar, err)
		}
		return id, nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), uuid.NewString()[:8]), nil
}

// take is the value of a variable that items, and workers that they start, are not
// to see.
func take(name string) string {
	value := os.Getenv(name)
	_ = os.Unsetenv(name)
	return value
}

// grouped writes an item's output where nothing is between.
type grouped struct{ console *console.Console }

func (g grouped) Item(a *worker.Attempt, stdout, stderr io.Reader) error {
	head := console.ItemHead{ID: a.Item.ID, Attempt: a.Attempt, Slot: a.Slot, Worker: a.Worker}
	if p, err := payload.Decode(a.Item.Payload); err == nil {
		head.Arg, head.N = p.Arg, p.N
	}
	group := g.console.Item(head)
	defer group.End(true)
	_, err := io.Copy(part{group, console.Stdout}, stdout)
	_, errErr := io.Copy(part{group, console.Stderr}, stderr)
	return errors.Join(err, errErr)
}

// part is one of the two streams of a group.
type part struct {
	group  console.Group
	stream console.Stream
}

func (p part) Write(b []byte) (int, error) {
	p.group.Write(p.stream, b)
	return len(b), nil
}

// prefixed says whose a line of the log is.
type prefixed struct{ w io.Writer }

func (p prefixed) Write(b []byte) (int, error) {
	_, err := p.w.Write(append([]byte("sluice: "), b...))
	return len(b), err
}

// sweepItems kills what carries the mark of one of the process's workers.
func sweepItems(id string, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := proc.Sweep(ctx, id+"-", false); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		log.Warn("processes of items may remain", "error", err)
	}
}
