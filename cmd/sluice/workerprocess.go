package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/coordinator/local"
	"sluice.dev/internal/console"
	"sluice.dev/internal/payload"
	"sluice.dev/internal/proc"
	"sluice.dev/queue"
	"sluice.dev/queue/redisqueue"
	"sluice.dev/worker"
	"sluice.dev/worker/command"
)

// The verbs of the processes that a run starts. Nobody types them.
const (
	workerProcess = "__worker"
	guardProcess  = "__guard"
)

// workerConfig reaches a worker process over a pipe: it has the store's
// password.
type workerConfig struct {
	Store string
	Queue string
	ID    string
	Slots int
	Items itemFlags
}

func workerProcessCommand() *cobra.Command {
	return &cobra.Command{Use: workerProcess, Hidden: true, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return workerMain(cmd.Context())
	}}
}

func guardCommand() *cobra.Command {
	return &cobra.Command{Use: guardProcess, Hidden: true, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return local.GuardMain(slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)))
	}}
}

// workerMain is the whole of a worker process. It drains at the first SIGTERM,
// stops its items at the second, and at once when the launcher is gone.
func workerMain(ctx context.Context) error {
	raw, lifeline, pipe, err := local.ChildConfig()
	if err != nil {
		return usagef("%s is started by 'sluice run': %w", workerProcess, err)
	}
	var c workerConfig
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("worker configuration: %w", err)
	}
	frames := console.NewFrameWriter(pipe)
	log := slog.New(slog.NewTextHandler(eventLog{frames, c.ID}, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: terse}))

	driver, err := redisqueue.Open(ctx, redisqueue.Options{URL: c.Store, Queue: c.Queue})
	if err != nil {
		return &exitError{exitStore, err}
	}
	defer func() { _ = driver.Close() }()
	handler, err := c.Items.handler(frameConsole{frames}, log)
	if err != nil {
		return usage(err)
	}
	defer func() { _ = handler.Close() }()
	w := worker.New(queue.New(driver), handler, worker.Options{
		ID: c.ID, Slots: c.Slots, Grace: c.Items.Grace, LeaveWhenIdle: true,
		Observer: observer(frames, c.ID), Logger: log,
	})

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM)
	defer signal.Stop(signals)
	gone := proc.WatchLifeline(lifeline)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-signals:
			case <-gone:
				die(c.ID)
			case <-ctx.Done():
				return
			}
			if n == 0 {
				w.Drain()
			} else {
				cancel()
			}
		}
	}()
	result, err := w.Run(ctx)
	if err != nil {
		return &exitError{exitStore, err}
	}
	if result != worker.ResultLeft {
		return &exitError{code: exitDrained}
	}
	return nil
}

// die ends everything that this worker's items started, and the worker: the
// launcher is gone, and with it the store that could settle anything.
func die(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = proc.Sweep(ctx, id, true)
	os.Exit(exitStore)
}

// observer tells the launcher what the worker does.
func observer(frames *console.FrameWriter, id string) worker.Observer {
	return worker.Observer{
		Settled: func(e worker.End) {
			_ = frames.Event(console.Event{Type: console.ItemSettled, Worker: id, ID: e.Lease.Item.ID,
				Attempt: e.Lease.Attempt, Verb: e.Verb, Cause: e.Failure.Cause, Took: e.Took})
		},
		Suspect: func(reason string) {
			_ = frames.Event(console.Event{Type: console.WorkerSuspect, Worker: id, Text: reason})
		},
	}
}

// frameConsole sends an item's output to the launcher.
type frameConsole struct{ frames *console.FrameWriter }

var _ command.Console = frameConsole{}

func (c frameConsole) Item(a *worker.Attempt, stdout, stderr io.Reader) error {
	head := console.ItemHead{ID: a.Item.ID, Attempt: a.Attempt, Slot: a.Slot, Worker: a.Worker}
	if p, err := payload.Decode(a.Item.Payload); err == nil {
		head.Arg, head.N = p.Arg, p.N
	}
	return c.frames.Item(head, stdout, stderr)
}

// eventLog sends the worker's log to the launcher, a line a call.
type eventLog struct {
	frames *console.FrameWriter
	id     string
}

func (l eventLog) Write(p []byte) (int, error) {
	err := l.frames.Event(console.Event{Type: console.LogLine, Worker: l.id, Text: strings.TrimRight(string(p), "\n")})
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	return len(p), err
}

// terse leaves the time out of a log that is read as it is written.
func terse(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
