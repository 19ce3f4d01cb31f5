// Command sluice runs a command for each of many items: on this machine with
// "sluice run", or on many with "sluice enqueue" and "sluice work", every item
// done once and every output published once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sluice.dev/internal/nearest"
)

// Exit codes, as README lists them.
const (
	exitDone        = 0
	exitDead        = 1 // some items are dead
	exitUsage       = 2 // bad usage or input: nothing was started
	exitRefused     = 1 // a name that is not there, or a change that its state forbids
	exitStore       = 3
	exitTimedOut    = 4
	exitDrained     = 75 // a worker left with work undone, as asked
	exitInterrupted = 130
)

// exitError is an error with the exit code that it stands for. Without an
// error there is nothing to say: the run has said it.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage marks bad usage or input.
func usage(err error) error { return &exitError{exitUsage, err} }

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

func main() { os.Exit(realMain(os.Args[1:], os.Stdout, os.Stderr)) }

func realMain(args []string, stdout, stderr io.Writer) int {
	cmd := rootCommand()
	cmd.SetArgs(splitNoun(cmd, args))
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(context.Background())
	if err == nil {
		return exitDone
	}
	code := exitUsage // what cobra itself refuses is bad usage
	if e, ok := errors.AsType[*exitError](err); ok {
		code = e.code
		if e.err == nil {
			return code
		}
	}
	_, _ = fmt.Fprintf(stderr, "sluice: %v\n", err)
	return code
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "sluice",
		Short:         "Run a command for each of many items, each item done once",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknown("verb", args[0], names(cmd), "see 'sluice help'")
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand())
	root.Version = buildVersion() // for --version
	root.SetVersionTemplate(versionLine())
	root.AddCommand(
		runCommand(), enqueueCommand(), workCommand(),
		getCommand(), describeCommand(), topCommand(), waitCommand(), logsCommand(),
		retryCommand(), cancelCommand(), deleteCommand(), sealCommand(), suspendCommand(), resumeCommand(), pauseCommand(), setCommand(),
		upCommand(), doctorCommand(), validateCommand(), coordinateCommand(), fireCommand(), explainCommand(), installCommand(), expandCommand(), configCommand(), manCommand(), versionCommand(), workerProcessCommand(), guardCommand(),
	)
	return root
}

// helpCommand is cobra's, which takes a word that nothing is called for no word.
func helpCommand() *cobra.Command {
	return &cobra.Command{Use: "help [VERB]", Short: "Say what a verb does", RunE: func(cmd *cobra.Command, args []string) error {
		about, rest, err := cmd.Root().Find(args)
		if len(rest) > 0 && about == cmd.Root() {
			return unknown("verb", rest[0], names(cmd.Root()), "see 'sluice help'")
		}
		if err != nil {
			return err
		}
		about.InitDefaultHelpFlag()
		return about.Help()
	}}
}

// unknown is a word that nothing is called, with the nearest that something is.
func unknown(what, word string, known []string, hint string) error {
	if near := nearest.Of(word, known); near != "" {
		return usagef("unknown %s %q: did you mean %q?", what, word, near)
	}
	return usagef("unknown %s %q: %s", what, word, hint)
}

// flagError names the flag, the value and what is allowed, in one line.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usagef("--%s %q: %v", e.GetFlag().Name, e.GetValue(), errors.Unwrap(e))
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := e.GetSpecifiedName()
		if len(name) > 1 {
			var known []string
			cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
			if near := nearest.Of(name, known); near != "" {
				return usagef("unknown flag --%s: did you mean --%s?", name, near)
			}
			name = "-" + name
		}
		return usagef("unknown flag -%s: see '%s --help'", name, cmd.CommandPath())
	}
	return usage(errors.New(strings.TrimPrefix(err.Error(), "pflag: ")))
}
