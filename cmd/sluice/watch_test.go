package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sluice.dev/internal/printer"
	"sluice.dev/queue"
)

func TestAWatchPrintsWhatChanges(t *testing.T) {
	row := func(name, state, age string) printer.Row {
		return printer.Row{Name: "item/" + name, Cells: []string{name, state, age}}
	}
	looks := [][]printer.Row{
		{row("a", "ready", "1s"), row("b", "ready", "1s")}, // older, and otherwise the same
		{row("a", "leased", "2s"), row("b", "ready", "2s"), row("c", "ready", "0s")},
		{row("b", "ready", "3s"), row("c", "ready", "1s")},
	}
	away, enough := queue.ErrUnavailable, errors.New("enough")
	waits := []error{nil, away, nil, enough}
	var out strings.Builder
	p := &printer.Printer{W: &out, Format: printer.TableFormat, Columns: []string{"ID", "STATE", "AGE"}}
	first := []printer.Row{row("a", "ready", "0s"), row("b", "ready", "0s")}
	if err := p.Print(first); err != nil {
		t.Fatal(err)
	}
	err := follow(t.Context(), p, "item", nil, first, listing{
		columns: p.Columns,
		wait: func(context.Context) error {
			err := waits[0]
			waits = waits[1:]
			return err
		},
		rows: func(context.Context) ([]printer.Row, error) {
			rows := looks[0]
			looks = looks[1:]
			return rows, nil
		},
		gone: func(_ context.Context, name string) ([]printer.Row, error) {
			return []printer.Row{row(name, "done", "3s")}, nil
		},
	})
	if !errors.Is(err, enough) {
		t.Errorf("error %v, want that of the last wait", err)
	}
	want := `ID   STATE   AGE
a    ready   0s
b    ready   0s
a    leased   2s
c    ready    0s
a    done     3s
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}
