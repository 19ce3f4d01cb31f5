package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"sluice.dev/worker/command"
	"sluice.dev/worker/publish"
	"sluice.dev/worker/template"
)

// itemFlags are what a command line says of how each item is run. They travel
// to worker processes as JSON.
type itemFlags struct {
	Argv             []string
	Shell            bool
	Output           string
	Existing         string
	ItemDeadline     time.Duration
	Stall            time.Duration
	Grace            time.Duration
	FailExitCodes    []int
	ReleaseExitCodes []int
	MinOutputBytes   int
	LineBuffer       bool
	Fields           fields   // what the source says, not a flag
	Env              []string // NAME=value each, of a container
}

const day = 24 * time.Hour

func (f *itemFlags) register(fs *pflag.FlagSet) {
	f.Existing = string(publish.ExistingFail)
	f.Grace = command.DefaultGrace
	fs.BoolVar(&f.Shell, "shell", false, "join the command's words and give them to /bin/sh; values are quoted")
	fs.StringVar(&f.Output, "output", "", "`PATTERN` of the file or folder that an item publishes, such as 'out/{/.}.gz'; the command writes to {out}")
	fs.Var(choiceValue{&f.Existing, []string{"fail", "skip", "replace"}}, "existing", "what to do about an output that is there already")
	fs.Var(durationValue{&f.ItemDeadline, time.Millisecond, 365 * day}, "item-deadline", "end an attempt that runs longer; it counts as failed (default: no limit)")
	fs.Var(durationValue{&f.Stall, time.Second, 365 * day}, "stall", "end an attempt that writes nothing to stdout or stderr for this long; it counts as failed (default: no limit)")
	fs.Var(durationValue{&f.Grace, time.Millisecond, day}, "grace", "how long an item that must end has between SIGTERM and SIGKILL, and to finish when the run is interrupted")
	fs.Var(codesValue{&f.FailExitCodes}, "fail-exit-codes", "exit codes after which an item is dead at once")
	fs.Var(codesValue{&f.ReleaseExitCodes}, "release-exit-codes", "exit codes after which an item comes back later without an attempt counted")
	fs.Var(intValue{&f.MinOutputBytes, 0, 1 << 40}, "min-output-bytes", "a smaller output is a failed attempt; an empty one always is")
}

var errNoCommand = errors.New("no command: put it after --, as in 'sluice run --glob \"in/*\" -- gzip -k {}'")

// parsed is what the flags mean once their text is understood.
type parsed struct {
	command *template.Template
	output  *template.Pattern // nil: nothing is published
	shell   bool
}

func (f *itemFlags) parse() (parsed, error) {
	p := parsed{shell: f.Shell}
	if len(f.Argv) == 0 {
		return p, errNoCommand
	}
	var err error
	o := f.Fields.options()
	o.Shell = f.Shell
	if p.command, err = template.Parse(f.Argv, o); err != nil {
		return p, plainly("command", "template: ", err)
	}
	if f.Output != "" {
		if p.output, err = template.ParsePattern(f.Output, o); err != nil {
			return p, plainly("--output", "template: ", err)
		}
	}
	if p.command.UsesOut() != (p.output != nil) {
		if p.output == nil {
			return p, errors.New("the command writes to {out} or {outdir}: say with --output PATTERN what that becomes")
		}
		return p, fmt.Errorf("--output %q: the command has neither {out} nor {outdir}, so that nothing would be written there", f.Output)
	}
	return p, nil
}

// plainly says of what a person wrote what a package has said of it under its
// own name.
func plainly(what, pkg string, err error) error {
	return fmt.Errorf("%s: %s", what, strings.TrimPrefix(err.Error(), pkg))
}

// handler is what a worker runs for each item.
func (f *itemFlags) handler(console command.Console, log *slog.Logger) (*command.Handler, error) {
	o, err := f.options(console, log)
	if err != nil {
		return nil, err
	}
	return command.New(o)
}

// options are those of the handler.
func (f *itemFlags) options(console command.Console, log *slog.Logger) (command.Options, error) {
	p, err := f.parse()
	if err != nil {
		return command.Options{}, err
	}
	return command.Options{
		Template: p.command, Output: p.output, Existing: publish.Existing(f.Existing),
		ItemDeadline: f.ItemDeadline, Stall: f.Stall, Grace: f.Grace,
		FailExitCodes: f.FailExitCodes, ReleaseExitCodes: f.ReleaseExitCodes,
		MinOutputBytes: int64(f.MinOutputBytes), LineBuffer: f.LineBuffer, Env: f.Env, Console: console, Logger: log,
	}, nil
}
