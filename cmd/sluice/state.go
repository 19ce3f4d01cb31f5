package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"sluice.dev/internal/console"
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
	known     map[string]journal.Item   // from before; nobody writes to it
	published map[string][]publish.File // by output: what records prove to be our own
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
	s := &state{
		journal: j, known: j.Items, published: make(map[string][]publish.File), retryDead: retryDead,
	}
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
	for id, it := range s.known {
		if it.Committed == nil {
			continue
		}
		r, err := publish.Decode(it.Committed)
		if err != nil {
			return fmt.Errorf("item %s: %w", id, err)
		}
		final := filepath.Join(r.Dir, r.Files[len(r.Files)-1].Name)
		s.published[final] = append(s.published[final], r.Files...)
		if it.Last != journal.Committed {
			continue
		}
		err = publish.Finish(r)
		_, gone := errors.AsType[*publish.Gone](err)
		_, exists := errors.AsType[*publish.Exists](err)
		switch {
		case gone || exists:
			continue
		case err != nil:
			return fmt.Errorf("item %s: %w", id, err)
		}
		it.Last = journal.Done
		s.known[id] = it
		if err := s.journal.Add(journal.Entry{Kind: journal.Done, ID: id, Attempts: it.Attempts}); err != nil {
			return err
		}
		finished = append(finished, queue.Item{ID: id, Output: final})
	}
	return unstage(finished)
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
func (s *state) ours(it queue.Item) bool {
	if s == nil {
		return false
	}
	if s.known[it.ID].Last == journal.Done {
		return true
	}
	_, err := publish.Check(it.Output, publish.ExistingFail, s.published[it.Output])
	return err == nil
}

// replaceable is what stands where an item publishes and is, by the records,
// what an item with this output published before.
func (s *state) replaceable(it queue.Item) []publish.File {
	var files []publish.File
	for _, f := range s.published[it.Output] {
		path := filepath.Join(filepath.Dir(it.Output), f.Name)
		if _, err := publish.Check(path, publish.ExistingFail, []publish.File{f}); err == nil && exists(path) {
			files = append(files, f)
		}
	}
	return files
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
