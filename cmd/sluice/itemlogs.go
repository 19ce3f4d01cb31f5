package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"sluice.dev/internal/itemlog"
	"sluice.dev/internal/payload"
	"sluice.dev/internal/progress"
	"sluice.dev/queue"
	"sluice.dev/worker"
	"sluice.dev/worker/command"
)

// outputFolder is where a state keeps the output of its items.
func outputFolder(state string) string { return filepath.Join(state, itemlog.Folder) }

// itemLogs keeps the output of a worker process's items. A nil one keeps
// nothing.
type itemLogs struct {
	w   *itemlog.Writer
	id  string // of the worker
	log *slog.Logger
}

func (c workerConfig) itemLogs(log *slog.Logger) (*itemLogs, error) {
	if c.State == "" || c.Watch.LogLimit == 0 {
		return nil, nil
	}
	w, err := itemlog.NewWriter(outputFolder(c.State), c.Watch.LogLimit)
	if err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	return &itemLogs{w, c.ID, log}, nil
}

// handler is the command of a run's worker, with what is read and kept of its
// items' output.
func (c workerConfig) handler(con command.Console, logs *itemLogs, log *slog.Logger) (*command.Handler, error) {
	o, err := c.Items.options(con, log)
	if err != nil {
		return nil, err
	}
	if c.Watch.Progress != "" {
		if o.Progress, err = progress.Compile(c.Watch.Progress); err != nil {
			return nil, fmt.Errorf("--progress: %w", err)
		}
	}
	if logs != nil {
		o.Keep = logs.keep
	}
	return command.New(o)
}

// keep begins an attempt.
func (l *itemLogs) keep(a *worker.Attempt) (*command.Kept, error) {
	log, err := l.w.Begin(l.head(a.Lease))
	if err != nil {
		return nil, err
	}
	return &command.Kept{Stdout: log.Stdout, Stderr: log.Stderr, Done: log.Close}, nil
}

// settled ends it. A lease that was given back before its turn came was none.
func (l *itemLogs) settled(e worker.End) {
	if l == nil || e.Slot == 0 {
		return
	}
	if err := l.w.End(l.head(e.Lease), e.Settlement, e.Err); err != nil {
		l.log.Error("the end of an attempt could not be kept", "item", e.Lease.Item.ID, "attempt", e.Lease.Attempt, "error", err)
	}
}

func (l *itemLogs) head(lease queue.Lease) itemlog.Head {
	h := itemlog.Head{ID: lease.Item.ID, Attempt: lease.Attempt, Token: lease.Token, Worker: l.id, Began: time.Now()}
	if p, err := payload.Decode(lease.Item.Payload); err == nil {
		h.Text = p.Arg
	}
	return h
}
