package main

import (
	"encoding/json"

	"sluice.dev/internal/journal"
	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

// outcome is what becomes of an item that was over before and need not run
// again, 0 for any other.
func (s *state) outcome(it queue.Item) queue.Outcome {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch last := s.known[it.ID].Last; {
	case last == journal.Done && (it.Output == "" || exists(it.Output)):
		s.passed.done++
		return queue.Added
	case last == journal.Dead && !s.retryDead:
		s.passed.dead++
		return queue.Added
	}
	return 0
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
		files := s.replaceable(items[i])
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
