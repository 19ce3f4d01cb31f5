package main

import (
	"cmp"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sluice.dev/internal/payload"
	"sluice.dev/producer"
	"sluice.dev/queue"
)

// runFlags are what "sluice run" was told.
type runFlags struct {
	itemFlags
	manifests    manifestFlags
	parallelism  int
	items        string
	glob         string
	null         bool
	identity     string
	backoffLimit int
	retryDelay   time.Duration
	args         []string // items of the command line, after :::
	listed       bool     // ::: was there
	dryRun       bool
	tag          bool
	keepOrder    bool
	halt         halt
	delay        time.Duration
	joblog       string
	state        string
	retryDead    bool
}

func runCommand() *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND... [::: ITEM...]",
		Short: "Run a command for each item, here and now",
		Long: `Run a command for each item, here and now.

Items are the lines of --items FILE, the files that --glob matches, the words
after ::: or the lines of standard input. In the command {} is the item; {.} {/} {/.} {//} {#} {%} are
what they are in GNU parallel, {out} is where the command writes the output that
--output names, and {outdir} the folder around it. A command without any of them
gets the item as its last argument.

With -f the Jobs and CronJobs of a file run here as a cluster would run them, but
that a container's image is not used: its command runs on this machine. A CronJob
goes on until it is interrupted. The pods' output has their names before each
line where several may be at work. The exit code is 0 when all Jobs are Complete
and 1 when one has Failed.

Exit code: 0 all items done, 1 some dead, 2 bad usage or input and nothing
started, 3 the store failed, 130 interrupted.`,
		Example: `  sluice run --glob 'in/*.wav' --output 'out/{/.}.ogg' -- ffmpeg -nostdin -v error -y -i {} {out}
  seq 1 48 | sluice run -j 4 -- echo frame {}
  sluice run --keep-order -- gzip -9 -c {} ::: *.txt
  sluice run -f job.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.manifests.given() {
				return f.manifests.run(cmd, args)
			}
			var err error
			if f.Argv, f.args, f.listed, err = splitItems(args); err != nil {
				return usage(err)
			}
			return f.run(cmd)
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.SetInterspersed(false) // what follows the first word is the command's
	f.parallelism = runtime.NumCPU()
	f.backoffLimit = *queue.DefaultPolicy().BackoffLimit
	f.retryDelay = queue.DefaultPolicy().RetryDelay
	f.identity = "stat"
	fs.VarP(parallelismValue{&f.parallelism}, "parallelism", "j", "how many items run at once; 50%, +2 and -1 are reckoned from the CPUs")
	fs.StringVar(&f.items, "items", "", "`FILE` with an item a line; - is standard input, which is the default")
	fs.StringVar(&f.glob, "glob", "", "`PATTERN` of the files that are the items; ** stands for any folders")
	fs.BoolVarP(&f.null, "null", "0", false, "items end in NUL instead of newline, as find -print0 writes them")
	fs.Var(choiceValue{&f.identity, []string{"stat", "content"}}, "identity", "what makes an input file the same: path, size, time and inode, or path and content")
	fs.Var(intValue{&f.backoffLimit, 0, 1_000_000}, "backoff-limit", "how often an item that fails is tried again")
	fs.Var(durationValue{&f.retryDelay, time.Millisecond, day}, "retry-delay", "before the first retry; doubled for each further one, up to 6m")
	f.register(fs)
	fs.BoolVar(&f.LineBuffer, "line-buffer", false, "show an item's lines as they come, not all of them when it ends")
	fs.BoolVarP(&f.keepOrder, "keep-order", "k", false, "show the output of items in the order of the input")
	fs.BoolVar(&f.tag, "tag", false, "begin each line of output with its item and a tab")
	fs.Var(durationValue{&f.delay, time.Millisecond, day}, "delay", "the least time between the starts of two items")
	fs.Var(haltValue{&f.halt}, "halt", "end before all items are done: now or soon (when what runs has finished), at so many or so many percent that fail, succeed or are done, such as now,fail=1 or soon,done=50%; an item fails when it is dead")
	fs.StringVar(&f.joblog, "joblog", "", "write a line for each item that is done or dead into `FILE`, in GNU parallel's columns, about its last attempt")
	fs.StringVar(&f.state, "state", "", "keep in folder `DIR` what became of each item: the same line, run again, goes on where it ended, whatever was killed")
	fs.BoolVar(&f.retryDead, "retry-dead", false, "with --state: try the items again that an earlier run left dead")
	fs.BoolVar(&f.dryRun, "dry-run", false, "show the commands and run none; an output is shown under its final name")
	f.manifests.register(fs)
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command) (err error) {
	p, err := f.parse()
	if err != nil {
		return usage(err)
	}
	h, err := f.handler(nil, nil) // checks what only running would show otherwise
	if err != nil {
		return usage(err)
	}
	if err := h.Close(); err != nil {
		return err
	}
	src, again, err := f.source()
	if err != nil {
		return usage(err)
	}
	maker, err := f.maker(p)
	if err != nil {
		return usage(err)
	}
	if err := f.checkState(); err != nil {
		return err
	}
	r := &run{flags: f, command: p, source: src, maker: maker}
	if f.state != "" {
		if r.state, err = openState(f.state, f.retryDead); err != nil {
			return err
		}
		defer func() { err = cmp.Or(err, r.state.close()) }()
	}
	if again {
		// What can be read twice is checked whole before anything starts.
		if _, err := producer.Check(cmd.Context(), src, maker, r.outputs()); err != nil {
			return usage(err)
		}
	}
	if f.dryRun {
		return r.dryRun(cmd.Context(), p, cmd.OutOrStdout())
	}
	return r.main(cmd.Context())
}

func (f *runFlags) checkState() error {
	switch {
	case f.retryDead && f.state == "":
		return usagef("--retry-dead: without --state nothing tells which items were dead: say --state DIR")
	case f.dryRun && f.state != "":
		return usagef("--dry-run and --state: one of them is allowed; a dry run shows every item")
	}
	return nil
}

// splitItems parts a command from the items after ":::".
func splitItems(args []string) (command, items []string, listed bool, err error) {
	i := slices.Index(args, ":::")
	if i < 0 {
		return args, nil, false, nil
	}
	command, items = args[:i], args[i+1:]
	if slices.Contains(items, ":::") {
		return nil, nil, false, errors.New("::: stands twice: one list of items is allowed")
	}
	return command, items, true, nil
}

// source is where the items come from, and whether it can be read again.
func (f *runFlags) source() (src producer.Source, again bool, err error) {
	o := producer.LineOptions{Null: f.null}
	switch {
	case f.listed && (f.glob != "" || f.items != "" || f.null):
		return nil, false, errors.New("::: and --items, --glob or --null: the words after ::: are the items")
	case f.listed:
		return producer.Args(f.args), true, nil
	case f.glob != "" && f.items != "":
		return nil, false, errors.New("--glob and --items: one of them is allowed")
	case f.glob != "" && f.null:
		return nil, false, errors.New("--glob and --null: NUL ends lines, and a glob has none")
	case f.glob != "":
		return producer.Glob(f.glob), true, nil
	case f.items == "" && term.IsTerminal(int(os.Stdin.Fd())):
		return nil, false, errors.New("no items: say --items FILE or --glob PATTERN, or pipe lines into standard input")
	case f.items == "" || f.items == "-":
		return producer.Lines(os.Stdin, "standard input", o), false, nil
	}
	info, err := os.Stat(f.items)
	if err != nil {
		return nil, false, fileError("--items", err)
	}
	if info.Mode().IsRegular() {
		return producer.File(f.items, o), true, nil
	}
	file, err := os.Open(f.items) // a named pipe; it ends with the process
	if err != nil {
		return nil, false, fileError("--items", err)
	}
	return producer.Lines(file, f.items, o), false, nil
}

func fileError(flag string, err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return usagef("%s %q: %w", flag, e.Path, e.Err)
	}
	return usagef("%s: %w", flag, err)
}

func (f *runFlags) maker(p parsed) (*producer.Maker, error) {
	o := producer.MakerOptions{
		Scope:    p.command.String(),
		Batch:    batchName,
		Content:  f.identity == "content",
		Numbered: strings.Contains(p.command.String(), "{#}"),
	}
	if p.output != nil {
		o.Scope += "\n" + p.output.String()
		o.Output = func(pl payload.Payload) (string, error) { return p.output.Expand(pl) }
		o.Numbered = o.Numbered || strings.Contains(p.output.String(), "{#}")
	}
	return producer.NewMaker(o)
}
