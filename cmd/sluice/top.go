package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sluice.dev/internal/console"
	"sluice.dev/internal/printer"
	"sluice.dev/queue"
)

func topCommand() *cobra.Command {
	f := &queueFlags{}
	cmd := &cobra.Command{
		Use: "top", Short: "Watch queues, their rates and their workers live", Args: words(),
		Long: `Watch queues, their rates and their workers live, once a second; q or Ctrl-C
leaves. Where standard output is no terminal it prints them once.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.find()
			if err != nil {
				return err
			}
			t := top{opened: opened{place: p}, only: bare("queue", f.queue), done: make(map[string]sample)}
			defer t.close()
			if term.IsTerminal(int(os.Stdout.Fd())) && term.IsTerminal(int(os.Stdin.Fd())) {
				return told(t.live(cmd.Context()))
			}
			screen, err := t.look(cmd.Context())
			if err != nil {
				return told(err)
			}
			_, err = cmd.OutOrStdout().Write(screen)
			return err
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// top is what is watched.
type top struct {
	opened
	only string            // the one queue that is meant; "": all
	done map[string]sample // by queue, as it was at the last look
}

// sample is how many items were done at a time.
type sample struct {
	at time.Time
	n  int64
}

// live redraws the screen until a person leaves.
func (t *top) live(ctx context.Context) error {
	in := int(os.Stdin.Fd())
	was, err := term.MakeRaw(in)
	if err != nil {
		return err
	}
	defer func() { _ = term.Restore(in, was) }()
	// The other screen, so that what stood on this one is there again.
	_, _ = io.WriteString(os.Stdout, "\x1b[?1049h\x1b[?25l")
	defer func() { _, _ = io.WriteString(os.Stdout, "\x1b[?25h\x1b[?1049l") }()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the process: a read of the terminal cannot be called off
		defer cancel()
		var key [1]byte
		for {
			if n, err := os.Stdin.Read(key[:]); err != nil || n == 1 && (key[0] == 'q' || key[0] == 3) {
				return
			}
		}
	}()
	for {
		text, err := t.look(ctx)
		if errors.Is(err, queue.ErrUnavailable) {
			text = []byte(err.Error() + "\n")
		} else if err != nil && ctx.Err() == nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		_, _ = os.Stdout.Write(fit(text))
		if tick(ctx) != nil {
			return nil
		}
	}
}

// fit draws a text over what was drawn before, within the terminal.
func fit(text []byte) []byte {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || width < 1 || height < 1 {
		width, height = 80, 24
	}
	var b bytes.Buffer
	b.WriteString("\x1b[H")
	for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		if i == height {
			break
		}
		if i > 0 {
			b.WriteString("\r\n")
		}
		if r := []rune(line); len(r) > width {
			line = string(r[:width])
		}
		b.WriteString(line)
		b.WriteString("\x1b[K")
	}
	b.WriteString("\x1b[J")
	return b.Bytes()
}

// look is the screen as it is now.
func (t *top) look(ctx context.Context) ([]byte, error) {
	names, err := t.all(ctx)
	if err != nil {
		return nil, err
	}
	if t.only != "" {
		if t.byOne[t.only] == nil {
			return nil, notFound("queue", t.only, names)
		}
		names = []string{t.only}
	}
	var queues, workers []printer.Row
	for _, name := range names {
		q := t.byOne[name]
		d, err := q.Depth(ctx)
		if err != nil {
			return nil, err
		}
		list, err := q.Workers(ctx)
		if err != nil {
			return nil, err
		}
		queues = append(queues, printer.Row{Cells: []string{
			name, number(d.Ready), number(d.Held), number(d.Leased), number(d.Delayed), number(d.Blocked), number(d.Done), number(d.Dead),
			t.rate(name, d.Done), fmt.Sprint(live(list)),
		}})
		for _, w := range list {
			if !w.Gone {
				workers = append(workers, printer.Row{Cells: []string{w.ID, name, workerState(w), fmt.Sprint(w.Leases), console.Duration(w.Seen)}})
			}
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "sluice top  %s  queues: %d  workers: %d\n\n", time.Now().Format(time.TimeOnly), len(names), len(workers))
	table := printer.Printer{W: &b, Columns: []string{"QUEUE", "READY", "HELD", "LEASED", "DELAYED", "BLOCKED", "DONE", "DEAD", "RATE", "WORKERS"}}
	if err := table.Print(queues); err != nil {
		return nil, err
	}
	b.WriteString("\n")
	table = printer.Printer{W: &b, Columns: []string{"WORKER", "QUEUE", "STATE", "LEASES", "SEEN"}}
	err = table.Print(workers)
	return b.Bytes(), err
}

// rate is how fast items of a queue are done, since the last look.
func (t *top) rate(name string, done int64) string {
	was, now := t.done[name], sample{time.Now(), done}
	t.done[name] = now
	if was.at.IsZero() || done < was.n {
		return "-"
	}
	return console.Rate(float64(done-was.n) / now.at.Sub(was.at).Seconds())
}
