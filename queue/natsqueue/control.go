package natsqueue

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/machine"
)

// control is what is asked now and then, by people and coordinators.
type control struct {
	Name    string          `json:"name,omitempty"` // of a worker or a batch
	Verb    string          `json:"verb,omitempty"`
	IDs     []string        `json:"ids,omitempty"`
	Batch   queue.Batch     `json:"batch,omitzero"`
	Policy  queue.Policy    `json:"policy,omitzero"`
	Yes     bool            `json:"yes,omitempty"` // force; pause
	Failure queue.Failure   `json:"failure,omitzero"`
	Idle    time.Duration   `json:"idle,omitempty"`
	Query   queue.Query     `json:"query,omitzero"`
	Cursor  *machine.Cursor `json:"cursor,omitempty"`
}

// outcome answers a control.
type outcome struct {
	Depth   queue.Depth        `json:"depth,omitzero"`
	Records []queue.Record     `json:"records,omitempty"`
	Cursor  *machine.Cursor    `json:"cursor,omitempty"`
	Batches []queue.BatchInfo  `json:"batches,omitempty"`
	Workers []queue.WorkerInfo `json:"workers,omitempty"`
	Policy  queue.Policy       `json:"policy,omitzero"`
	Count   int                `json:"count,omitempty"`
	Yes     bool               `json:"yes,omitempty"`
	Errors  []*refusal         `json:"errors,omitempty"`
	Refused *refusal           `json:"refused,omitempty"` // in an answer that is kept
}

// encode is plain data in JSON.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("natsqueue: " + err.Error()) // plain data: cannot fail
	}
	return b
}

// refusal is an error on its way to a client.
type refusal struct {
	Kind     string                `json:"kind,omitempty"` // of sentinels
	Text     string                `json:"text"`
	Wrong    *queue.WrongState     `json:"wrong,omitempty"`
	Conflict *queue.PolicyConflict `json:"conflict,omitempty"`
}

// sentinels are the errors that keep their identity on the way.
var sentinels = map[string]error{
	"lost": queue.ErrLeaseLost, "not found": queue.ErrNotFound, "committed": queue.ErrCommitted, "stale": queue.ErrStale,
	"full": queue.ErrUnavailable, // until others are done
}

func refusalOf(err error) *refusal {
	if err == nil {
		return nil
	}
	if errors.Is(err, machine.ErrFull) {
		err = fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
	}
	r := &refusal{Text: err.Error()}
	r.Wrong, _ = errors.AsType[*queue.WrongState](err)
	r.Conflict, _ = errors.AsType[*queue.PolicyConflict](err)
	for kind, s := range sentinels {
		if errors.Is(err, s) {
			r.Kind = kind
		}
	}
	return r
}

// err is the error that a refusal was made of.
func (r *refusal) err() error {
	switch {
	case r == nil:
		return nil
	case r.Wrong != nil:
		return r.Wrong
	case r.Conflict != nil:
		return r.Conflict
	case sentinels[r.Kind] != nil:
		return &passedOn{r.Text, sentinels[r.Kind]}
	}
	return errors.New(r.Text)
}

// passedOn is an error in its first words.
type passedOn struct {
	text string
	is   error
}

func (e *passedOn) Error() string { return e.text }
func (e *passedOn) Unwrap() error { return e.is }

func readError(text []byte) error {
	var r refusal
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("the leader's answer: %w", err)
	}
	return r.err()
}
