package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"sluice.dev/internal/console"
	"sluice.dev/internal/digestset"
	"sluice.dev/internal/itemlog"
	"sluice.dev/internal/journal"
	"sluice.dev/queue"
	"sluice.dev/worker/publish"
)

// state is what --state keeps of a run's items for the next run of the same
// line, and what it knows of them from the last. A nil one knows nothing.
type state struct {
	journal   *journal.Journal
	logs      *itemlog.Keeper
	finished  digestset.Set // items that an earlier run had committed, and this one has finished
	outputs   *ownOutputs
	retryDead bool

	mu     sync.Mutex
	passed passed
}

// passed counts items that were over before and did not run again.
type passed struct{ done, dead int64 }

// openState opens the journal of a folder and finishes what was committed and
// not published when an earlier run was killed.
func openState(dir string, retryDead bool) (*state, error) {
	j, err := journal.Open(dir)
	if busy, ok := errors.AsType[*journal.Busy](err); ok {
		return nil, usagef("--state %q: process %d runs with it: one run at a time is allowed", dir, busy.PID)
	}
	if err != nil {
		return nil, usage(plainly(fmt.Sprintf("--state %q", dir), "journal: ", err))
	}
	s := &state{journal: j, outputs: newOwnOutputs(dir, j), retryDead: retryDead}
	if s.logs, err = itemlog.NewKeeper(outputFolder(dir), itemlog.Bounds{}); err == nil {
		err = s.finish()
	}
	if err != nil {
		return nil, errors.Join(usagef("--state %q: %w", dir, err), j.Close())
	}
	return s, nil
}

// finish publishes what was committed. What is nowhere any more, or in the way
// of something else, runs again.
func (s *state) finish() error {
	var finished []queue.Item
	err := s.journal.Records(func(rec journal.Record) error {
		r, err := publish.Decode(rec.Data)
		if err != nil {
			return fmt.Errorf("item %s: %w", rec.ID, err)
		}
		output, err := s.outputs.add(r, rec.At)
		if err != nil {
			return err
		}
		last, err := s.journal.Last(rec.ID)
		if err != nil || last != journal.Committed {
			return err
		}
		err = publish.Finish(r)
		_, gone := errors.AsType[*publish.Gone](err)
		_, exists := errors.AsType[*publish.Exists](err)
		switch {
		case gone || exists:
			return nil
		case err != nil:
			return fmt.Errorf("item %s: %w", rec.ID, err)
		}
		finished = append(finished, queue.Item{ID: rec.ID, Output: output})
		return s.finishedNow(rec.ID)
	})
	if err != nil {
		return err
	}
	return unstage(finished)
}

// finishedNow records an item that was committed as done.
func (s *state) finishedNow(id string) error {
	it, err := s.journal.Item(id)
	if err != nil {
		return err
	}
	if _, err := s.finished.Add(id); err != nil {
		return err
	}
	return s.journal.Add(journal.Entry{Kind: journal.Done, ID: id, Attempts: it.Attempts})
}

// last is what had become of an item before anything of this run ran.
func (s *state) last(id string) (journal.Kind, error) {
	if finished, err := s.finished.Has(id); err != nil || finished {
		return journal.Done, err
	}
	return s.journal.Last(id)
}

// unstage removes what attempts at these items have left staged. None may run.
func unstage(items []queue.Item) error {
	ids := make(map[string][]string) // by folder: reading one may take long
	for _, it := range items {
		if it.Output != "" {
			dir := filepath.Dir(it.Output)
			ids[dir] = append(ids[dir], it.ID)
		}
	}
	for dir, ids := range ids {
		if err := publish.Sweep(dir, ids...); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) close() error {
	if s == nil {
		return nil
	}
	_ = errors.Join(s.finished.Close(), s.outputs.close()) // nobody asks them any more
	if err := s.logs.Close(); err != nil {
		return errors.Join(&exitError{exitStore, fmt.Errorf("--state: %w", err)}, s.journal.Close())
	}
	if err := s.journal.Close(); err != nil {
		return &exitError{exitStore, fmt.Errorf("--state: what was done may run again: %w", err)}
	}
	return nil
}

// ours tells whether the record of an item, or of another one with its output,
// proves that what exists there was published by sluice.
func (s *state) ours(it queue.Item) (bool, error) {
	if s == nil {
		return false, nil
	}
	last, err := s.last(it.ID)
	if err != nil || last == journal.Done {
		return err == nil, err
	}
	files, err := s.outputs.files(it.Output)
	if err != nil {
		return false, err
	}
	_, err = publish.Check(it.Output, publish.ExistingFail, files)
	return err == nil, nil
}

// replaceable is what stands where an item publishes and is, by the records,
// what an item with this output published before.
func (s *state) replaceable(it queue.Item) (there []publish.File, err error) {
	files, err := s.outputs.files(it.Output)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		path := filepath.Join(filepath.Dir(it.Output), f.Name)
		if _, err := publish.Check(path, publish.ExistingFail, []publish.File{f}); err == nil && exists(path) {
			there = append(there, f)
		}
	}
	return there, nil
}

// ended holds the output that is kept within its bounds.
func (s *state) ended(e console.Event) error {
	if s == nil {
		return nil
	}
	return s.logs.Ended(e.Token, e.ID)
}

// over records the last event of an item.
func (s *state) over(e console.Event) error {
	if s == nil {
		return nil
	}
	if e.Verb != queue.Ack {
		return s.dead(e.ID, e.Attempt, queue.Failure{Cause: e.Cause, ExitCode: e.Exit})
	}
	return s.journal.Add(journal.Entry{Kind: journal.Done, ID: e.ID, Attempts: e.Attempt})
}

func (s *state) dead(id string, attempts int, f queue.Failure) error {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return s.journal.Add(journal.Entry{Kind: journal.Dead, ID: id, Attempts: attempts, Data: data})
}

// conclude records the whole failures of the dead, of which events tell less.
func (s *state) conclude(dead []queue.Record) (passed, error) {
	if s == nil {
		return passed{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range dead {
		var last queue.Failure
		if n := len(r.Failures); n > 0 {
			last = r.Failures[n-1]
		}
		if err := s.dead(r.Item.ID, r.Attempts, last); err != nil {
			return s.passed, err
		}
	}
	return s.passed, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
