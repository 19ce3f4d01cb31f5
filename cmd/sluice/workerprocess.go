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
	Stay  bool          // it leaves when it is told to, not for want of items
	Delay time.Duration // between two starts, of all workers together
	Trust bool          // whatever fails, the worker is not Suspect
	Log   bool          // events tell what --joblog wants to know
	State string        // the folder of --state; "" keeps nothing
	Watch watchFlags
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

// forever is a grace that does not end by itself: that of a worker process is
// measured here, from SIGTERM alone.
const forever = 365 * day

// workerMain is the whole of a worker process. At SIGUSR1 it finishes what runs
// and leaves. At SIGTERM that may last for the grace, after which its items are
// ended, and at SIGINT or a second SIGTERM they are ended at once. When the
// launcher is gone it kills them and dies.
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
	logs, err := c.itemLogs(log)
	var items *command.Handler
	if err == nil {
		items, err = c.handler(frameConsole{frames}, logs, log)
	}
	if err != nil {
		// Whatever is wrong with the command is so in every worker.
		_ = frames.Event(console.Event{Type: console.WorkerUnfit, Worker: c.ID, Text: err.Error()})
		return &exitError{code: exitUsage}
	}
	defer func() { _ = items.Close() }()
	handler := &runHandler{Handler: items, times: newTimes(c.Log)}
	if c.Delay > 0 {
		if handler.starts, err = inheritStarts(c.Delay); err != nil {
			return err
		}
	}
	kept, closeState, err := c.keeping(handler)
	if err != nil {
		_ = frames.Event(console.Event{Type: console.WorkerUnfit, Worker: c.ID, Text: err.Error()})
		return &exitError{code: exitUsage}
	}
	defer closeState()
	suspectAfter := worker.DefaultSuspectAfter
	if c.Trust {
		suspectAfter = -1
	}
	w := worker.New(queue.New(driver), kept, worker.Options{
		ID: c.ID, Slots: c.Slots, Grace: forever, LeaveWhenIdle: !c.Stay, SuspectAfter: suspectAfter,
		Observer: c.observer(frames, handler.times, logs), Logger: log,
	})

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go tell(ctx, items, frames, c.ID) // it may wait for a reader that is gone: nobody waits for it
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	go func() {
		gone := proc.WatchLifeline(lifeline)
		var grace <-chan time.Time
		for {
			select {
			case s := <-signals:
				w.Drain()
				switch {
				case s == syscall.SIGINT || s == syscall.SIGTERM && grace != nil:
					cancel()
				case s == syscall.SIGTERM:
					grace = time.After(c.Items.Grace)
				}
			case <-grace:
				cancel()
			case <-gone:
				die(c.ID)
			case <-ctx.Done():
				return
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
func (c workerConfig) observer(frames *console.FrameWriter, times *times, logs *itemLogs) worker.Observer {
	items, err := c.Items.parse()
	if err != nil {
		panic("sluice: " + err.Error()) // the handler was made of it
	}
	return worker.Observer{
		Settled: func(e worker.End) {
			logs.settled(e)
			began, took := times.take(e.Lease)
			if e.Err != nil { // another has the item, and will tell
				return
			}
			ev := console.Event{
				Type: console.ItemSettled, Worker: c.ID, ID: e.Lease.Item.ID, Attempt: e.Lease.Attempt, Token: e.Lease.Token,
				Verb: e.Verb, Cause: e.Failure.Cause, Exit: e.Failure.ExitCode, Took: e.Took,
			}
			if c.Log {
				ev.Began, ev.Took, ev.Command = began, took, items.line(e.Lease.Item.Payload, max(e.Slot, 1))
			}
			_ = frames.Event(ev)
		},
		Suspect: func(reason string) {
			_ = frames.Event(console.Event{Type: console.WorkerSuspect, Worker: c.ID, Text: reason})
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
