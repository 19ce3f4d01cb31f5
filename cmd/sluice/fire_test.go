package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sluice.dev/coordinator/kube"
	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// changed is a queue that keeps what is done to its batches, of whose items one
// is dead.
type changed struct {
	queue.Driver
	verbs []string
	err   error
}

func (c *changed) Items(context.Context, queue.Query) ([]queue.Record, error) {
	return []queue.Record{{Item: queue.Item{ID: "a1"}, Failures: []queue.Failure{{Cause: queue.CauseExitCode, ExitCode: 4}}}}, nil
}

func (c *changed) ChangeBatch(_ context.Context, name string, v queue.BatchVerb) error {
	c.verbs = append(c.verbs, fmt.Sprintf("%s %s", v, name))
	return c.err
}

func TestABatchOfAScheduleMakesRoom(t *testing.T) {
	name := func(n int) string { return fmt.Sprintf("film-%d-0123abcd", n) }
	done, dead, running := queue.Depth{Done: 2}, queue.Depth{Done: 1, Dead: 1}, queue.Depth{Ready: 1}
	all := []queue.BatchInfo{ // oldest first
		{Name: name(1), Sealed: true, Depth: done}, {Name: name(2), Sealed: true, Depth: dead},
		{Name: name(3), Sealed: true, Depth: done}, {Name: "film-by-hand", Sealed: true, Depth: done},
		{Name: name(4), Sealed: true, Depth: running}, {Name: name(5), Age: time.Hour, Depth: running}, // not sealed
	}
	for _, tt := range []struct {
		what   string
		change func(*workload.WorkQueueSpec)
		want   []string
	}{
		{"three are kept", func(*workload.WorkQueueSpec) {}, nil},
		{"one is kept", func(s *workload.WorkQueueSpec) { s.Schedule.SuccessfulJobsHistoryLimit = new(int32(1)) }, []string{"delete " + name(1)}},
		{"outputs are made again", func(s *workload.WorkQueueSpec) { s.ItemPolicy.Output = "/films/{}.png" }, []string{
			"delete " + name(3), "told batch/" + name(2) + ", of before, is deleted with 1 dead of ExitCode 4, such as item a1", "delete " + name(2), "delete " + name(1),
		}},
		{"it replaces those who make its outputs", func(s *workload.WorkQueueSpec) {
			s.ItemPolicy.Output, s.Schedule.ConcurrencyPolicy, s.Schedule.SuccessfulJobsHistoryLimit = "/films/{}.png", "Replace", new(int32(9))
		}, []string{
			"cancel " + name(5), "delete " + name(5), "cancel " + name(4), "delete " + name(4),
			"delete " + name(3), "told batch/" + name(2) + ", of before, is deleted with 1 dead of ExitCode 4, such as item a1", "delete " + name(2), "delete " + name(1),
		}},
		{"it replaces", func(s *workload.WorkQueueSpec) { s.Schedule.ConcurrencyPolicy = "Replace" }, []string{"cancel " + name(5), "cancel " + name(4)}},
		{"it waits", func(s *workload.WorkQueueSpec) { s.Schedule.ConcurrencyPolicy = "Forbid" }, nil},
	} {
		w := &workload.WorkQueue{Spec: workload.WorkQueueSpec{Schedule: &workload.Schedule{Schedule: "@daily"}}}
		w.Name = "film"
		tt.change(&w.Spec)
		for _, err := range []error{nil, queue.ErrCommitted} {
			c := &changed{err: err}
			tell := func(line string) error {
				c.verbs = append(c.verbs, "told "+line)
				return nil
			}
			if err := clearFor(t.Context(), queue.New(c), kube.Firing{WorkQueue: w, Batch: name(6)}, all, tell); err != nil {
				t.Errorf("%s: %v", tt.what, err)
			}
			if !slices.Equal(c.verbs, tt.want) {
				t.Errorf("%s: %v, want %v", tt.what, c.verbs, tt.want)
			}
		}
	}
	w := &workload.WorkQueue{Spec: workload.WorkQueueSpec{Schedule: &workload.Schedule{ConcurrencyPolicy: "Replace"}}}
	w.Name = "film"
	err := clearFor(t.Context(), queue.New(&changed{err: queue.ErrUnavailable}), kube.Firing{WorkQueue: w}, all, nil)
	if e, ok := errors.AsType[*exitError](err); !ok || e.code != exitStore {
		t.Errorf("a store that does not answer: %v, want exit code %d", err, exitStore)
	}
}
