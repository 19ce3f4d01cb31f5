package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"sluice.dev/internal/printer"
	"sluice.dev/queue"
)

// changes waits for changes of a queue, of which those within a moment count
// as one.
func changes(q *queue.Queue) func(context.Context) error {
	var last time.Time
	return func(ctx context.Context) error {
		timer := time.NewTimer(time.Until(last.Add(lookEvery)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := q.Watch(ctx, 10*time.Second)
		last = time.Now()
		return err
	}
}

// follow prints the rows that change, until something fails. A store that does
// not answer for a while is no failure.
func follow(ctx context.Context, p *printer.Printer, kind string, args []string, rows []printer.Row, l listing) error {
	seen := make(map[string]string)
	for _, r := range rows {
		seen[r.Name] = lasting(l.columns, r)
	}
	for {
		if err := l.wait(ctx); err != nil && !errors.Is(err, queue.ErrUnavailable) {
			return err
		}
		rows, err := l.rows(ctx)
		if errors.Is(err, queue.ErrUnavailable) {
			if err := tick(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		changed, err := l.changed(ctx, kind, args, seen, rows)
		if err != nil {
			return err
		}
		if err := p.More(changed); err != nil {
			return err
		}
	}
}

// changed is the rows that are not as they were seen, which it notes, and the
// last of those that are no longer listed.
func (l listing) changed(ctx context.Context, kind string, args []string, seen map[string]string, rows []printer.Row) ([]printer.Row, error) {
	var out []printer.Row
	listed := make(map[string]bool)
	for _, r := range rows {
		if len(args) > 0 && !slices.ContainsFunc(args, func(a string) bool { return r.Name == kind+"/"+bare(kind, a) }) {
			continue
		}
		listed[r.Name] = true
		if now := lasting(l.columns, r); seen[r.Name] != now {
			seen[r.Name] = now
			out = append(out, r)
		}
	}
	for name := range seen {
		if listed[name] {
			continue
		}
		delete(seen, name)
		if l.gone != nil {
			last, err := l.gone(ctx, bare(kind, name))
			if err != nil {
				return nil, err
			}
			out = append(out, last...)
		}
	}
	return out, nil
}

// lasting is a row without what changes by itself as time goes by.
func lasting(columns []string, r printer.Row) string {
	var b strings.Builder
	for i, cell := range r.Cells {
		if !slices.Contains([]string{"AGE", "SEEN", "+DUE", "+DEADLINE"}, columns[i]) {
			b.WriteString(cell)
			b.WriteByte(0)
		}
	}
	return b.String()
}
