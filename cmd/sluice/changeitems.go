package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sluice.dev/internal/triage"
	"sluice.dev/queue"
)

// changeFlags choose the items that a person changes.
type changeFlags struct {
	queueFlags
	states    []queue.State
	reason    string
	signature string
	batch     string
	fields    selector
	ids       []string
	yes       bool
	dryRun    bool
}

// itemChange is a verb for items.
type itemChange struct {
	verb    queue.ItemVerb
	done    string        // as in "3 items retried"
	states  []queue.State // in which an item can be, by default
	without bool          // may it be said of all these without choosing further
}

func retryCommand() *cobra.Command {
	return group("retry", "Try dead items again, with their attempts counted anew",
		changeItemsCommand("Try dead items again, with their attempts counted anew", itemChange{
			verb: queue.RetryItem, done: "retried", states: []queue.State{queue.Dead}, without: true,
		}))
}

func cancelItemsCommand() *cobra.Command {
	return changeItemsCommand("Cancel items that are not finished", itemChange{
		verb: queue.CancelItem, done: "cancelled", states: []queue.State{queue.Blocked, queue.Delayed, queue.Ready, queue.Leased},
	})
}

func deleteItemsCommand() *cobra.Command {
	return changeItemsCommand("Forget items: their ids are new again", itemChange{
		verb: queue.DeleteItem, done: "deleted", states: queue.States,
	})
}

func changeItemsCommand(short string, c itemChange) *cobra.Command {
	f := &changeFlags{}
	cmd := &cobra.Command{
		Use: "items [ID...]", Short: short,
		Long: short + `.

It counts the items that are meant, and changes nothing without --yes or, on a
terminal, an answer.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.ids = append(f.ids, args...)
			if err := f.check(c); err != nil {
				return err
			}
			return f.do(cmd, func(q *queue.Queue) error { return f.change(cmd, q, c) })
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.register(fs)
	fs.Var(statesValue{&f.states}, "state", "items in these states alone")
	fs.StringVar(&f.signature, "signature", "", "items that failed last with this `SIGNATURE` alone, as 'get items --group' shows it")
	fs.StringVar(&f.reason, "reason", "", "items that failed last for this `CAUSE` alone, such as ExitCode or OOMKilled")
	fs.StringVar(&f.batch, "batch", "", "items of this `BATCH` alone")
	registerSelector(fs, &f.fields)
	fs.StringArrayVar(&f.ids, "id", nil, "the item of this `ID`; may be given more than once")
	fs.BoolVar(&f.yes, "yes", false, "do not ask")
	fs.BoolVar(&f.dryRun, "dry-run", false, "only list what would be changed")
	return noun(cmd)
}

// causes are what --reason may name.
var causes = []queue.Cause{
	queue.CauseExitCode, queue.CauseKilled, queue.CauseOOMKilled, queue.CauseDeadlineExceeded, queue.CauseStalled,
	queue.CauseLeaseExpired, queue.CauseResourceExceeded, queue.CauseBadOutput, queue.CauseCannotStart,
	queue.CauseInputChanged, queue.CauseInterrupted, queue.CauseError, queue.CauseTooManyDisruptions,
}

func (f *changeFlags) check(c itemChange) error {
	var known []string
	for _, cause := range causes {
		known = append(known, string(cause))
	}
	if f.reason != "" && !slices.Contains(known, f.reason) {
		return unknown("--reason", f.reason, known, strings.Join(known, ", ")+" are allowed")
	}
	for _, s := range f.states {
		if !slices.Contains(c.states, s) {
			return usagef("--state %q: what is %s cannot be %s: %s is allowed", s, s, c.done, statesValue{&c.states})
		}
	}
	chosen := f.states != nil || f.reason != "" || f.signature != "" || f.batch != "" || f.fields != nil || len(f.ids) > 0
	if !chosen && !c.without {
		return usagef("which items: say --state, --reason, --signature, --batch, --selector or --id")
	}
	if len(f.ids) > 0 && (f.states != nil || f.reason != "" || f.signature != "" || f.batch != "" || f.fields != nil) {
		return usagef("--id: what is named needs no --state, --reason, --signature, --batch or --selector")
	}
	return nil
}

func (f *changeFlags) change(cmd *cobra.Command, q *queue.Queue, c itemChange) error {
	ids, err := f.choose(cmd.Context(), q, c)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d items", len(ids))
	if len(ids) == 1 {
		what = "1 item"
	}
	switch {
	case len(ids) == 0:
		return say(cmd, "no item matches")
	case f.dryRun:
		for _, id := range ids {
			if err := say(cmd, "item/%s", id); err != nil {
				return err
			}
		}
		return say(cmd, "%s would be %s", what, c.done)
	}
	if !f.yes {
		ok, err := confirm(cmd, fmt.Sprintf("%s %s of queue %s?", c.verb, what, bare("queue", f.queue)))
		if err != nil || !ok {
			return err
		}
	}
	errs, err := q.ChangeItems(cmd.Context(), c.verb, ids)
	refusals := slices.DeleteFunc(slices.Clone(errs), func(e error) bool { return e == nil })
	if e := say(cmd, "%d of %s %s", len(errs)-len(refusals), what, c.done); err == nil {
		err = e
	}
	if err == nil && len(refusals) > 0 {
		err = &exitError{exitRefused, few(refusals)}
	}
	return err
}

// choose is the ids of the items that are meant.
func (f *changeFlags) choose(ctx context.Context, q *queue.Queue, c itemChange) ([]string, error) {
	if len(f.ids) > 0 {
		var ids []string
		for _, id := range f.ids {
			id = bare("item", id)
			list, err := q.Items(ctx, queue.Query{ID: id})
			if err != nil {
				return nil, err
			}
			if len(list) == 0 {
				return nil, notFound("item", id, nil)
			}
			ids = append(ids, id)
		}
		return ids, nil
	}
	query := queue.Query{States: f.states, Batch: bare("batch", f.batch)}
	if query.States == nil {
		query.States = c.states
	}
	if query.Batch != "" {
		if _, err := findBatch(ctx, q, query.Batch); err != nil {
			return nil, err
		}
	}
	list, err := f.fields.items(ctx, q, query)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range list {
		last := queue.Failure{}
		if n := len(r.Failures); n > 0 {
			last = r.Failures[n-1]
		}
		if (f.reason == "" || string(last.Cause) == f.reason) && (f.signature == "" || triage.Signature(last) == f.signature) {
			ids = append(ids, r.Item.ID)
		}
	}
	return ids, nil
}

// confirm asks a person, who alone can answer.
func confirm(cmd *cobra.Command, question string) (bool, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return false, usagef("%s say --yes, since nobody can be asked here", question)
	}
	_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", question)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n') // no answer is no
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, &exitError{exitRefused, errors.New("nothing was changed")}
}

// few is the first of many errors, and how many more there are.
func few(errs []error) error {
	const shown = 3
	err := errors.New(joined(errs[:min(len(errs), shown)]))
	if more := len(errs) - shown; more > 0 {
		err = fmt.Errorf("%w; and %d more", err, more)
	}
	return err
}

func joined(errs []error) string {
	var words []string
	for _, e := range errs {
		words = append(words, e.Error())
	}
	return strings.Join(words, "; ")
}
