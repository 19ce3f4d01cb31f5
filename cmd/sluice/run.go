package main

import (
	"cmp"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/internal/payload"
	"sluice.dev/producer"
	"sluice.dev/queue"
)

// runFlags are what "sluice run" was told.
type runFlags struct {
	itemFlags
	sourceFlags
	watchFlags
	manifests    manifestFlags
	parallelism  int
	backoffLimit int
	retryDelay   time.Duration
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

Items are the lines of --items FILE or of standard input, the files that --glob
matches, the words after :::, the objects of --jsonl, the rows of --csv, --frames,
or all combinations of the values of --arg.

In the command {} is the item; {.} {/} {/.} {//} {#} {%} are what they are in GNU
parallel, {out} is where the command writes the output that --output names, and
{outdir} the folder around it. {name} is a field of the item: a member, a column,
a parameter, or frame, start, end and step; its environment has each as
SLUICE_ARG_NAME. A command without any of them gets {} as its last argument: the
line, of frames 1-19x2, of combinations rate=0.1 seed=2.

With -f the WorkQueues, Jobs and CronJobs of a file run here as a cluster would
run them, but that a container's image is not used: its command runs on this
machine. What only a cluster honours is said, and with --strict refused.

A WorkQueue is the line that its fields would make: its source, its itemPolicy,
and the command of its first container, with {} and the like. At most
scaling.maxParallelism items run at once, or what --parallelism says. One that
follows another, by after, begins when all of that one is done, and reads its
source then. With a schedule, or a CronJob, it goes on until it is interrupted.
--state keeps a folder DIR/NAME for each WorkQueue; Jobs run anew each time. The
exit code is 0 when all are Complete and 1 when one has Failed.

suspend: true holds a WorkQueue, a Job, a CronJob or a schedule, as in a cluster,
and false resumes it. The files are looked at while they run: a suspend that is
changed counts within a second or so, and nothing else that is.

Exit code: 0 all items done, 1 some dead, 2 bad usage or input (what can be read
twice is checked before anything starts; a pipe is read as it comes), 3 the store
failed, 130 interrupted.`,
		Example: `  sluice run --glob 'in/*.wav' --output 'out/{/.}.ogg' -- ffmpeg -nostdin -v error -y -i {} {out}
  seq 1 48 | sluice run -j 4 -- echo frame {}
  sluice run --frames 1-240 --chunk 10 -- blender -b film.blend -s {start} -e {end} -a
  sluice run --arg preset=fast,slow --arg crf=18,23 --output 'out/{preset}-{crf}.mp4' -- ffmpeg -y -i in.mov -preset {preset} -crf {crf} {out}
  sluice run --keep-order -- gzip -9 -c {} ::: *.txt
  sluice run -f film.yaml --state out/state`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.manifests.given() {
				return f.runManifests(cmd, args)
			}
			var err error
			if f.Argv, f.words, f.listed, err = splitItems(args); err != nil {
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
	fs.VarP(parallelismValue{&f.parallelism}, "parallelism", "j", "how many items run at once; 50%, +2 and -1 are reckoned from the CPUs")
	f.sourceFlags.register(fs)
	fs.Var(intValue{&f.backoffLimit, 0, 1_000_000}, "backoff-limit", "how often an item that fails is tried again")
	fs.Var(durationValue{&f.retryDelay, time.Millisecond, day}, "retry-delay", "before the first retry; doubled for each further one, up to 6m")
	f.itemFlags.register(fs)
	fs.BoolVar(&f.LineBuffer, "line-buffer", false, "show an item's lines as they come, not all of them when it ends")
	fs.BoolVarP(&f.keepOrder, "keep-order", "k", false, "show the output of items in the order of the input")
	fs.BoolVar(&f.tag, "tag", false, "begin each line of output with its item and a tab")
	fs.Var(durationValue{&f.delay, time.Millisecond, day}, "delay", "the least time between the starts of two items")
	fs.Var(haltValue{&f.halt}, "halt", "end before all items are done: now or soon (when what runs has finished), at so many or so many percent that fail, succeed or are done, such as now,fail=1 or soon,done=50%; an item fails when it is dead; never: also not where all items fail alike")
	fs.StringVar(&f.joblog, "joblog", "", "write a line for each item that is done or dead into `FILE`, in GNU parallel's columns, about its last attempt")
	fs.StringVar(&f.state, "state", "", "keep in folder `DIR` what became of each item: the same line, run again, goes on where it ended, whatever was killed")
	f.watchFlags.register(fs)
	fs.BoolVar(&f.retryDead, "retry-dead", false, "with --state: try the items again that an earlier run left dead")
	fs.BoolVar(&f.dryRun, "dry-run", false, "show the commands and run none; an output is shown under its final name")
	f.manifests.register(fs)
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command) (err error) {
	if len(f.Argv) == 0 {
		return usage(errNoCommand)
	}
	in, err := f.sourceFlags.open()
	if err != nil {
		return usage(err)
	}
	f.Fields = in.fields
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
	maker, err := f.maker(p)
	if err != nil {
		return usage(err)
	}
	if err := f.checkState(); err != nil {
		return err
	}
	r := &run{flags: f, command: p, source: in.Source, maker: maker, ended: make(chan ending, 1)}
	if f.state != "" {
		if r.state, err = openState(f.state, f.retryDead); err != nil {
			return err
		}
		defer func() { err = cmp.Or(err, r.state.close()) }()
	}
	if in.toCheck(f.Output) {
		// What can be read twice is checked whole before anything starts.
		if _, err := producer.Check(cmd.Context(), in.Source, maker, r.outputs()); err != nil {
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
	return f.watchFlags.check(f.state)
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

func (f *runFlags) maker(p parsed) (*producer.Maker, error) {
	o := producer.MakerOptions{
		Scope:      p.command.String(),
		Batch:      batchName,
		Content:    f.identity == "content",
		Numbered:   strings.Contains(p.command.String(), "{#}"),
		InputField: f.input,
	}
	if f.Fields.Any {
		o.Needs = p.command.Fields()
	}
	if p.output != nil {
		o.Scope += "\n" + p.output.String()
		o.Output = func(pl payload.Payload) (string, error) { return p.output.Expand(pl) }
		o.Numbered = o.Numbered || strings.Contains(p.output.String(), "{#}")
	}
	return producer.NewMaker(o)
}
