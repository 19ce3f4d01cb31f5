package main

import (
	"context"
	"fmt"
	"path/filepath"

	"sluice.dev/internal/journal"
	"sluice.dev/worker"
	"sluice.dev/worker/publish"
)

// keeping is a handler that records what it publishes, with --state.
func (c workerConfig) keeping(h worker.Handler) (kept worker.Handler, end func(), err error) {
	if c.State == "" {
		return h, func() {}, nil
	}
	j, err := journal.NewWriter(c.State, c.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("--state: %w", err)
	}
	// Every record was synced before it was used.
	return worker.Chain(h, recording(j)), func() { _ = j.Close() }, nil
}

// recording keeps in the journal what an item commits, before any of it is
// published: whoever finds an output in place finds the record of it too.
func recording(j *journal.Writer) worker.Middleware {
	return func(next worker.Handler) worker.Handler {
		return worker.HandlerFunc(func(ctx context.Context, a *worker.Attempt) error {
			if a.Committed != nil { // by a worker that died, maybe before it was kept
				if err := keep(j, a, a.Committed); err != nil {
					return err
				}
			}
			own := worker.NewAttempt(a.Lease, a.Worker, a.Slot, func(ctx context.Context, record []byte) error {
				if err := a.Commit(ctx, record); err != nil {
					return err
				}
				return keep(j, a, record)
			})
			err := next.Handle(ctx, own)
			a.Result = own.Result
			return err
		})
	}
}

// keep returns when the disk has the record, whose paths mean the same from
// any working directory.
func keep(j *journal.Writer, a *worker.Attempt, record []byte) error {
	r, err := publish.Decode(record)
	if err != nil {
		return err
	}
	for _, path := range []*string{&r.Dir, &r.Staging} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if record, err = r.Encode(); err != nil {
		return err
	}
	if err := j.Add(journal.Entry{Kind: journal.Committed, ID: a.Item.ID, Attempts: a.Attempt, Data: record}); err != nil {
		return err
	}
	return j.Sync()
}
