package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sluice.dev/internal/nearest"
	"sluice.dev/internal/printer"
	"sluice.dev/queue"
)

// The things that verbs act on. Each is called by its plural too.
var plurals = map[string]string{"queue": "queues", "batch": "batches", "item": "items", "worker": "workers"}

// noun makes cmd the part of a verb that acts on one kind of thing.
func noun(cmd *cobra.Command) *cobra.Command {
	name, _, _ := strings.Cut(cmd.Use, " ")
	for one, many := range plurals {
		if name == one {
			cmd.Aliases = []string{many}
		}
		if name == many {
			cmd.Aliases = []string{one}
		}
	}
	return cmd
}

// group is a verb that does nothing without a second word.
func group(verb, short string, parts ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: verb, Short: short,
		// The word that is wrong is what to complain of, not the flags behind it.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s: say what: %s", verb, strings.Join(names(cmd), ", "))
			}
			return unknown("word", args[0], names(cmd), verb+" takes "+strings.Join(names(cmd), ", "))
		},
	}
	cmd.AddCommand(parts...)
	return cmd
}

// names is what a person may type behind cmd.
func names(cmd *cobra.Command) []string {
	var list []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			list = append(list, c.Name())
		}
	}
	return list
}

// splitNoun allows "wait batch/b-1" for "wait batch b-1", as output by name is
// written.
func splitNoun(root *cobra.Command, args []string) []string {
	if len(args) < 2 {
		return args
	}
	kind, name, found := strings.Cut(args[1], "/")
	if plurals[kind] == "" || !found {
		return args
	}
	verb, _, err := root.Find(args[:1])
	if err != nil || !slices.ContainsFunc(verb.Commands(), func(c *cobra.Command) bool { return c.Name() == kind || c.HasAlias(kind) }) {
		return args
	}
	return slices.Concat(args[:1], []string{kind, name}, args[2:])
}

// bare is a name without the kind that output by name puts before it.
func bare(kind, name string) string { return strings.TrimPrefix(name, kind+"/") }

// words checks that a command has exactly these arguments.
func words(want ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(want):
			return usagef("%s is missing", want[len(args)])
		case len(args) > len(want):
			return usagef("%q is one word too many: %d allowed", args[len(want)], len(want))
		}
		return nil
	}
}

// notFound is a name that the store does not know, with the nearest that it
// does.
func notFound(kind, name string, known []string) error {
	err := fmt.Errorf("%s %q: %w", kind, name, queue.ErrNotFound)
	if near := nearest.Of(name, known); near != "" {
		err = fmt.Errorf("%w: did you mean %q?", err, near)
	}
	return &exitError{exitRefused, err}
}

// say prints one line about what was done.
func say(cmd *cobra.Command, format string, args ...any) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...)
	return err
}

// outputFlag is -o.
type outputFlag struct{ format string }

func (o *outputFlag) register(cmd *cobra.Command) {
	o.format = string(printer.TableFormat)
	cmd.Flags().VarP(formatValue{&o.format}, "output", "o", "how to show it")
}

func (o *outputFlag) printer(cmd *cobra.Command, columns ...string) *printer.Printer {
	return &printer.Printer{W: cmd.OutOrStdout(), Format: printer.Format(o.format), Columns: columns}
}

// queueFlags say which queue of which store a verb acts on.
type queueFlags struct {
	storeFlags
	queue string
}

func (f *queueFlags) register(fs *pflag.FlagSet) {
	fs.StringVarP(&f.queue, "queue", "q", "", "`QUEUE` that is meant")
	f.storeFlags.register(fs)
}

// do opens the queue that is meant, for the time of act.
func (f *queueFlags) do(cmd *cobra.Command, act func(*queue.Queue) error) error {
	if f.queue != "" {
		return f.with(cmd.Context(), bare("queue", f.queue), act)
	}
	p, err := f.find()
	if err != nil {
		return err
	}
	known, err := p.queues(cmd.Context())
	if err != nil {
		return err
	}
	if len(known) == 0 {
		return usagef("--queue is missing, and the store has none")
	}
	return usagef("--queue is missing: the store has %s", strings.Join(known[:min(len(known), 10)], ", "))
}
