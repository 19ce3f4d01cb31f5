package main

import (
	"encoding/json"

	"sluice.dev/internal/journal"
	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

// outcome is what becomes of an item that was over before and need not run
// again, 0 for any other.
func (s *state) outcome(it queue.Item) (queue.Outcome, error) {
	if s == nil {
		return 0, nil
	}
	last, err := s.last(it.ID)
	if err != nil {
		return 0, err
	}
	if last == journal.Done && it.Output != "" {
		if taken, err := s.outputs.taken(it.ID, it.Output); err != nil || taken || !exists(it.Output) {
			return 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case last == journal.Done:
		s.passed.done++
		return queue.Added, nil
	case last == journal.Dead && !s.retryDead:
		s.passed.dead++
		return queue.Added, nil
	}
	return 0, nil
}

// prepare makes items ready to run that an earlier run may have begun.
func (s *state) prepare(items []queue.Item) error {
	if s == nil || !s.journal.Resumed {
		return nil
	}
	// Nothing of them runs yet: what they have staged is from before.
	if err := unstage(items); err != nil {
		return err
	}
	return s.mayReplace(items)
}

// mayReplace tells items what their outputs may take the place of.
func (s *state) mayReplace(items []queue.Item) error {
	for i := range items {
		files, err := s.replaceable(items[i])
		if err != nil {
			return err
		}
		if len(files) == 0 {
			continue
		}
		p, err := payload.Decode(items[i].Payload)
		if err != nil {
			return err
		}
		if p.Previous, err = json.Marshal(files); err != nil {
			return err
		}
		if items[i].Payload, err = p.Encode(); err != nil {
			return err
		}
	}
	return nil
}
