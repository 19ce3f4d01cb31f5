package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/internal/console"
	"sluice.dev/internal/itemlog"
	"sluice.dev/internal/printer"
)

// logsFlags are what "sluice logs" was told.
type logsFlags struct {
	outputFlag
	state   string
	follow  bool
	attempt int
	list    bool
}

func logsCommand() *cobra.Command {
	f := &logsFlags{}
	cmd := &cobra.Command{
		Use:   "logs ITEM --state DIR [flags]",
		Short: "Show what an item has written",
		Long: fmt.Sprintf(`Show what an item has written: its stdout on stdout, its stderr on stderr.

'sluice run --state DIR' keeps the output of each attempt at each item in DIR,
while it runs and when it has ended, however it ended; without --state nothing
is kept. WorkQueues that ran with -f have folders of their own, DIR/NAME: an item
is looked for in all of them, and DIR/NAME says which where several have it. In a
cluster 'kubectl logs' of the worker's pod has the same text.

ITEM is the item's id or its text. Of its attempts the latest is shown. While
an attempt runs all of its output is there; when it has ended the start and the
end of it are kept, %s unless --log-limit of 'sluice run' says otherwise, and
a line tells how much is missing between. A folder keeps %d GiB and %d attempts
at the most: the oldest that were done go first, then the oldest others.

Exit code: 0 shown, 1 no such item or attempt, 2 bad usage.`, size(itemlog.DefaultLimit), itemlog.DefaultBytes>>30, itemlog.DefaultAttempts),
		Example: `  sluice logs in/a.wav --state st
  sluice logs -f in/a.wav --state st
  sluice logs in/a.wav --state st --attempt 1
  sluice logs --state st --list`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.state, "state", "", "`DIR` of the run")
	fs.BoolVarP(&f.follow, "follow", "f", false, "go on with what is written, until the attempt ends; it looks ten times a second")
	fs.Var(intValue{&f.attempt, 1, 1_000_000}, "attempt", "show this attempt; of several with this number, as after --retry-dead, the latest")
	fs.BoolVar(&f.list, "list", false, "list the attempts whose output is kept, of ITEM or of all, the oldest first")
	f.register(cmd)
	fs.Lookup("output").Usage += ", with --list"
	return cmd
}

func (f *logsFlags) run(cmd *cobra.Command, args []string) error {
	switch {
	case f.list && (f.follow || f.attempt > 0):
		return usagef("--list: it goes neither with --follow nor with --attempt")
	case !f.list && cmd.Flags().Changed("output"):
		return usagef("--output: it is for --list")
	case f.list && len(args) == 0:
	default:
		if err := words("ITEM")(cmd, args); err != nil {
			return err
		}
	}
	folders, err := f.folders()
	if err != nil {
		return err
	}
	if len(args) == 0 {
		if len(folders) > 1 {
			return usagef("--state %q: %d folders in it have output: say %s", f.state, len(folders), statesOf(folders))
		}
		found, err := itemlog.List(folders[0])
		if err != nil {
			return usage(err)
		}
		return f.print(cmd, found)
	}
	found, err := findItem(folders, args[0])
	if err != nil {
		return err
	}
	if f.list {
		return f.print(cmd, found)
	}
	return f.show(cmd, args[0], found)
}

// folders are those with output: that of the state, and that of each WorkQueue
// that has a state in it.
func (f *logsFlags) folders() ([]string, error) {
	if f.state == "" {
		return nil, usagef("--state is missing: say with which folder the items run; without one 'sluice run' keeps no output")
	}
	entries, err := os.ReadDir(f.state)
	if err != nil {
		return nil, fileError("--state", err)
	}
	states := []string{f.state}
	for _, e := range entries {
		states = append(states, filepath.Join(f.state, e.Name()))
	}
	var folders []string
	for _, state := range states {
		if dir := outputFolder(state); exists(dir) {
			folders = append(folders, dir)
		}
	}
	if len(folders) == 0 {
		return nil, usagef("--state %q: no output is kept there", f.state)
	}
	return folders, nil
}

// statesOf names the states whose folders of output these are.
func statesOf(folders []string) string {
	var names []string
	for _, dir := range folders[:min(len(folders), 10)] {
		names = append(names, "--state "+shellWord(filepath.Dir(dir)))
	}
	return strings.Join(names, " or ")
}

// findItem is the attempts at the one item that is meant, in the one folder
// that has any.
func findItem(folders []string, item string) (found []itemlog.Entry, err error) {
	var with []string
	for _, name := range slices.Compact([]string{item, bare("item", item)}) {
		for _, dir := range folders {
			some, err := itemlog.Find(dir, name)
			if err != nil {
				return nil, usage(err)
			}
			if len(some) > 0 {
				found, with = append(found, some...), append(with, dir)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	if len(with) == 0 {
		return nil, notKept(folders, item)
	}
	if len(with) > 1 {
		return nil, usagef("item %q: %d folders have output of one: say %s", item, len(with), statesOf(with))
	}
	var ids []string
	for _, e := range found {
		if !slices.Contains(ids, e.ID) {
			ids = append(ids, e.ID)
		}
	}
	if len(ids) > 1 {
		return nil, usagef("item %q: %d items have this text: say which: %s", item, len(ids), strings.Join(ids[:min(len(ids), 10)], ", "))
	}
	return found, nil
}

// notKept says that an item is in none of the folders, and which may be meant.
func notKept(folders []string, item string) error {
	var known []string
	for _, dir := range folders {
		all, err := itemlog.List(dir)
		if err != nil {
			return usage(err)
		}
		for _, e := range all {
			known = append(known, e.ID, e.Text)
		}
	}
	return notFound("item", item, known)
}

// show writes the output of one attempt.
func (f *logsFlags) show(cmd *cobra.Command, item string, found []itemlog.Entry) error {
	i := len(found) - 1
	if f.attempt > 0 {
		for i >= 0 && found[i].Attempt != f.attempt {
			i--
		}
	}
	if i < 0 {
		return &exitError{exitRefused, fmt.Errorf("item %q: no output of attempt %d is kept: there are %s", item, f.attempt, attemptsOf(found))}
	}
	e := found[i]
	var err error
	if f.follow {
		e, err = itemlog.Follow(cmd.Context(), e, cmd.OutOrStdout(), cmd.ErrOrStderr())
	} else {
		err = itemlog.Copy(e, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	if err != nil {
		return &exitError{exitRefused, err}
	}
	if e.Outcome == itemlog.Lost {
		fmt.Fprintf(cmd.ErrOrStderr(), "sluice: attempt %d was cut short: %s; its output may lack its end\n", e.Attempt, whyEnded(e))
	}
	return nil
}

// attemptsOf lists the numbers of attempts, each once.
func attemptsOf(found []itemlog.Entry) string {
	var numbers []int
	for _, e := range found {
		numbers = append(numbers, e.Attempt)
	}
	slices.Sort(numbers)
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(slices.Compact(numbers)), " ", ", "), "[]")
}

// whyEnded is why an attempt did not end well, "" if it did or has not.
func whyEnded(e itemlog.Entry) string {
	switch {
	case e.Outcome == itemlog.Lost && e.End == nil:
		return "its worker was lost"
	case e.Outcome == itemlog.Lost:
		return "its lease was lost"
	case e.End == nil || e.End.Cause == "":
		return ""
	}
	return string(e.End.Cause) + ": " + e.End.Message
}

// print lists attempts.
func (f *logsFlags) print(cmd *cobra.Command, found []itemlog.Entry) error {
	var rows []printer.Row
	for _, e := range found {
		end := time.Now()
		if e.End != nil {
			end = e.End.At
		}
		took := ""
		if e.Outcome == itemlog.Running || e.End != nil {
			took = console.Duration(end.Sub(e.Began))
		}
		rows = append(rows, printer.Row{
			Name: "item/" + e.ID,
			Cells: []string{
				cmp.Or(e.Text, e.ID), strconv.Itoa(e.Attempt), string(e.Outcome), console.Duration(time.Since(e.Began)), took,
				number(e.Size), whyEnded(e), e.ID, e.Worker,
			},
			Value: logValue{e.Head, e.End, e.Outcome, e.Size},
		})
	}
	return f.printer(cmd, "ITEM", "ATTEMPT", "OUTCOME", "AGE", "TOOK", "BYTES", "REASON", "+ID", "+WORKER").Print(rows)
}

// logValue is an attempt for programs.
type logValue struct {
	itemlog.Head
	End     *itemlog.End    `json:"end,omitempty"`
	Outcome itemlog.Outcome `json:"outcome"`
	Bytes   int64           `json:"bytes"`
}
