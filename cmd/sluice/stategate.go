package main

import (
	"context"
	"encoding/json"

	"sluice.dev/internal/journal"
	"sluice.dev/internal/payload"
	"sluice.dev/producer"
	"sluice.dev/queue"
)

// gate returns next, and before it what passes items over that need no run.
func (s *state) gate(next producer.Enqueuer) producer.Enqueuer {
	if s == nil {
		return next
	}
	return gate{s, next}
}

type gate struct {
	state *state
	next  producer.Enqueuer
}

// Enqueue implements producer.Enqueuer. An item that was over before counts as
// added, since the input has it.
func (g gate) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	outcomes := make([]queue.Outcome, len(items))
	var fresh []queue.Item
	var at []int // where those stand in items
	for i, it := range items {
		if outcomes[i] = g.state.outcome(it); outcomes[i] == 0 {
			fresh, at = append(fresh, it), append(at, i)
		}
	}
	if len(fresh) == 0 {
		return outcomes, nil
	}
	if g.state.journal.Resumed {
		// Nothing of them runs yet: what they have staged is from before.
		if err := unstage(fresh); err != nil {
			return nil, err
		}
		if err := g.state.mayReplace(fresh); err != nil {
			return nil, err
		}
	}
	answers, err := g.next.Enqueue(ctx, fresh)
	for i, o := range answers {
		outcomes[at[i]] = o
	}
	return outcomes, err
}

// outcome is what becomes of an item that the queue does not have to see, 0
// for one that it has to.
func (s *state) outcome(it queue.Item) queue.Outcome {
	if _, again := s.met[it.ID]; again {
		return queue.Duplicate
	}
	if it.Output != "" {
		if _, taken := s.taken[it.Output]; taken {
			return queue.OutputTaken
		}
		s.taken[it.Output] = struct{}{}
	}
	s.met[it.ID] = struct{}{}
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
