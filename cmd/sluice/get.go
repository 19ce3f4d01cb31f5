package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/internal/nearest"
	"sluice.dev/internal/printer"
	"sluice.dev/internal/triage"
	"sluice.dev/queue"
)

// getFlags are what every "sluice get" may be told.
type getFlags struct {
	queueFlags
	outputFlag
	watch bool
}

func (f *getFlags) register(cmd *cobra.Command) {
	f.queueFlags.register(cmd.Flags())
	f.outputFlag.register(cmd)
	f.registerWatch(cmd)
}

func (f *getFlags) registerWatch(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on, and print what changes")
}

func getCommand() *cobra.Command {
	return group("get", "List queues, batches, items or workers", getQueuesCommand(), getBatchesCommand(), getItemsCommand(), getWorkersCommand())
}

func getQueuesCommand() *cobra.Command {
	f := &getFlags{}
	cmd := &cobra.Command{
		Use: "queues [NAME...]", Short: "List the queues of a store",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := f.find()
			if err != nil {
				return err
			}
			o := opened{place: p}
			defer o.close()
			return told(f.show(cmd, "queue", args, listing{
				columns: queueColumns,
				rows:    o.rows,
				wait:    tick,
			}))
		},
	}
	f.storeFlags.register(cmd.Flags())
	f.outputFlag.register(cmd)
	f.registerWatch(cmd)
	return noun(cmd)
}

func getBatchesCommand() *cobra.Command {
	f := &getFlags{}
	cmd := &cobra.Command{
		Use: "batches [NAME...]", Short: "List the batches of a queue, oldest first",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.do(cmd, func(q *queue.Queue) error {
				return f.show(cmd, "batch", args, listing{
					columns: batchColumns,
					rows: func(ctx context.Context) ([]printer.Row, error) {
						list, err := q.Batches(ctx)
						return rowsOf(list, batchRow), err
					},
					wait: changes(q),
				})
			})
		},
	}
	f.register(cmd)
	return noun(cmd)
}

func getWorkersCommand() *cobra.Command {
	f := &getFlags{}
	cmd := &cobra.Command{
		Use: "workers [NAME...]", Short: "List the workers that a queue has heard of within the last hour",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.do(cmd, func(q *queue.Queue) error {
				return f.show(cmd, "worker", args, listing{
					columns: workerColumns,
					rows: func(ctx context.Context) ([]printer.Row, error) {
						list, err := q.Workers(ctx)
						return rowsOf(list, workerRow), err
					},
					wait: changes(q),
				})
			})
		},
	}
	f.register(cmd)
	return noun(cmd)
}

// itemsFlags are what "sluice get items" was told.
type itemsFlags struct {
	getFlags
	states []queue.State
	batch  string
	limit  int
	group  bool
	fields selector
}

func getItemsCommand() *cobra.Command {
	f := &itemsFlags{}
	cmd := &cobra.Command{
		Use: "items [ID...]", Short: "List the items of a queue, by default those that are not done",
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.group && (f.watch || len(args) > 0) {
				return usagef("--group: it goes neither with --watch nor with names")
			}
			if len(args) > 0 && (f.states != nil || f.batch != "" || f.limit > 0 || f.fields != nil) {
				return usagef("--state, --batch, --selector and --limit: they choose items, and %q is named", args[0])
			}
			return f.do(cmd, func(q *queue.Queue) error {
				if f.group {
					return f.groups(cmd, q)
				}
				return f.show(cmd, "item", args, f.listing(q, args))
			})
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.Var(statesValue{&f.states}, "state", "items in these states alone")
	fs.StringVar(&f.batch, "batch", "", "items of this `BATCH` alone")
	registerSelector(fs, &f.fields)
	fs.Var(intValue{&f.limit, 1, 1_000_000_000}, "limit", "show this many at the most")
	fs.BoolVar(&f.group, "group", false, "dead items, by what went wrong")
	return noun(cmd)
}

func (f *itemsFlags) query() queue.Query {
	return queue.Query{States: f.states, Batch: bare("batch", f.batch), Limit: f.limit}
}

func (f *itemsFlags) listing(q *queue.Queue, ids []string) listing {
	one := func(ctx context.Context, id string) ([]printer.Row, error) {
		list, err := q.Items(ctx, queue.Query{ID: id})
		return rowsOf(list, itemRow), err
	}
	return listing{
		columns: itemColumns,
		rows: func(ctx context.Context) ([]printer.Row, error) {
			if len(ids) == 0 {
				list, err := f.fields.items(ctx, q, f.query())
				return rowsOf(list, itemRow), err
			}
			var rows []printer.Row
			for _, id := range ids {
				more, err := one(ctx, bare("item", id))
				if err != nil {
					return nil, err
				}
				rows = append(rows, more...)
			}
			return rows, nil
		},
		gone: one,
		wait: changes(q),
	}
}

// groups shows dead items by what they died of.
func (f *itemsFlags) groups(cmd *cobra.Command, q *queue.Queue) error {
	query := f.query()
	if query.States == nil {
		query.States = []queue.State{queue.Dead}
	}
	list, err := f.fields.items(cmd.Context(), q, query)
	if err != nil {
		return err
	}
	var rows []printer.Row
	for _, g := range triage.Groups(list) {
		first := g.Records[0]
		rows = append(rows, printer.Row{
			Name:  "item/" + first.Item.ID,
			Cells: []string{fmt.Sprint(len(g.Records)), g.Signature, first.Item.ID, cut(argument(first.Item), 40)},
			Value: map[string]any{"count": len(g.Records), "signature": g.Signature, "example": first.Item.ID},
		})
	}
	return f.printer(cmd, "COUNT", "SIGNATURE", "EXAMPLE", "ITEM").Print(rows)
}

// listing is where the rows of a kind of thing come from.
type listing struct {
	columns []string
	rows    func(context.Context) ([]printer.Row, error)
	gone    func(ctx context.Context, name string) ([]printer.Row, error) // one that rows no longer has; nil: it is no more
	wait    func(context.Context) error                                   // for a change
}

// show prints a listing, or those of it that are named.
func (f *getFlags) show(cmd *cobra.Command, kind string, args []string, l listing) error {
	p := f.printer(cmd, l.columns...)
	p.Single = len(args) == 1
	rows, err := l.rows(cmd.Context())
	if err != nil {
		return err
	}
	if rows, err = pick(kind, args, rows); err != nil {
		return err
	}
	if err := p.Print(rows); err != nil {
		return err
	}
	if f.watch {
		return follow(cmd.Context(), p, kind, args, rows, l)
	}
	if len(rows) == 0 && p.Format == printer.TableFormat {
		_, err = fmt.Fprintln(cmd.ErrOrStderr(), "none found")
	}
	return err
}

// pick is the rows that are named, in that order; without a name, all.
func pick(kind string, args []string, rows []printer.Row) ([]printer.Row, error) {
	if len(args) == 0 {
		return rows, nil
	}
	var out []printer.Row
	for _, arg := range args {
		name := kind + "/" + bare(kind, arg)
		i := slices.IndexFunc(rows, func(r printer.Row) bool { return r.Name == name })
		if i < 0 {
			var known []string
			for _, r := range rows {
				known = append(known, bare(kind, r.Name))
			}
			return nil, notFound(kind, bare(kind, arg), known)
		}
		out = append(out, rows[i])
	}
	return out, nil
}

func rowsOf[T any](list []T, row func(T) printer.Row) []printer.Row {
	rows := make([]printer.Row, len(list))
	for i, v := range list {
		rows[i] = row(v)
	}
	return rows
}

// statesValue is a list of states.
type statesValue struct{ p *[]queue.State }

func (v statesValue) String() string {
	if v.p == nil {
		return ""
	}
	var words []string
	for _, s := range *v.p {
		words = append(words, string(s))
	}
	return strings.Join(words, ",")
}
func (statesValue) Type() string { return "STATES" }
func (v statesValue) Set(s string) error {
	var known []string
	for _, state := range queue.States {
		known = append(known, string(state))
	}
	var states []queue.State
	for word := range strings.SplitSeq(s, ",") {
		if !slices.Contains(known, word) {
			if near := nearest.Of(word, known); near != "" {
				return fmt.Errorf("%q is no state: did you mean %q?", word, near)
			}
			return fmt.Errorf("%q is no state: %s are allowed, with commas between", word, strings.Join(known, ", "))
		}
		states = append(states, queue.State(word))
	}
	*v.p = states
	return nil
}

// opened is queues of a store that stay open while they are looked at.
type opened struct {
	place place
	byOne map[string]*queue.Queue
}

// all opens what the store has and is not open yet, and returns the names.
func (o *opened) all(ctx context.Context) ([]string, error) {
	names, err := o.place.queues(ctx)
	if err != nil {
		return nil, err
	}
	if o.byOne == nil {
		o.byOne = make(map[string]*queue.Queue)
	}
	for _, name := range names {
		if o.byOne[name] == nil {
			if o.byOne[name], err = o.place.open(ctx, name); err != nil {
				delete(o.byOne, name)
				return nil, err
			}
		}
	}
	return names, nil
}

func (o *opened) rows(ctx context.Context) ([]printer.Row, error) {
	names, err := o.all(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]printer.Row, len(names))
	for i, name := range names {
		if rows[i], err = queueRow(ctx, name, o.byOne[name]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (o *opened) close() {
	for _, q := range o.byOne {
		_ = q.Close()
	}
}

// tick waits for a second, where no single queue could tell of a change.
func tick(ctx context.Context) error {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
