package queue_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"sluice.dev/queue"
)

// producer is a driver that notes the sizes of enqueueing calls.
type producer struct {
	queue.Driver
	calls []int
	fail  int // the call that fails, from 1
}

var errFull = errors.New("full")

func (p *producer) Enqueue(_ context.Context, items []queue.Item) ([]queue.Outcome, error) {
	p.calls = append(p.calls, len(items))
	if len(p.calls) == p.fail {
		return nil, errFull
	}
	return slices.Repeat([]queue.Outcome{queue.Added}, len(items)), nil
}

func TestEnqueueSplits(t *testing.T) {
	small := slices.Repeat([]queue.Item{{ID: "x"}}, 2500)
	large := slices.Repeat([]queue.Item{{ID: "x", Payload: make([]byte, queue.MaxPayloadBytes)}}, 7)
	for name, test := range map[string]struct {
		items []queue.Item
		want  []int
	}{
		"nothing":    {nil, nil},
		"a full one": {small[:1000], []int{1000}},
		"by number":  {small, []int{1000, 1000, 500}},
		"by size":    {large, []int{3, 3, 1}},
	} {
		p := &producer{}
		outcomes, err := queue.New(p).Enqueue(t.Context(), test.items)
		if err != nil || len(outcomes) != len(test.items) {
			t.Errorf("%s: %d outcomes, %v; want %d", name, len(outcomes), err, len(test.items))
		}
		if !slices.Equal(p.calls, test.want) {
			t.Errorf("%s: calls of %v items, want %v", name, p.calls, test.want)
		}
	}
}

func TestEnqueueTellsWhatWentBeforeAFailure(t *testing.T) {
	p := &producer{fail: 2}
	outcomes, err := queue.New(p).Enqueue(t.Context(), slices.Repeat([]queue.Item{{ID: "x"}}, 3000))
	if !errors.Is(err, errFull) || len(outcomes) != 1000 {
		t.Errorf("%d outcomes, %v; want those of the first call and the error of the second", len(outcomes), err)
	}
}

func TestEnqueueNamesEveryBadItem(t *testing.T) {
	p := &producer{}
	_, err := queue.New(p).Enqueue(t.Context(), []queue.Item{
		{ID: "good"}, {ID: ""}, {ID: "fine"}, {ID: "x", Priority: 10},
	})
	for _, want := range []string{"item 1: id is empty", "item 3: priority 10"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to say %q", err, want)
		}
	}
	if len(p.calls) != 0 {
		t.Errorf("%d calls of the store for bad input, want none", len(p.calls))
	}
}

func TestBadInputDoesNotReachTheStore(t *testing.T) {
	q := queue.New(&producer{}) // any other call would panic
	if err := q.Seal(t.Context(), "Capital"); err == nil || !strings.Contains(err.Error(), "Capital") {
		t.Errorf("Seal of a bad name: %v", err)
	}
	if _, err := q.SetPolicy(t.Context(), queue.Policy{Lease: 1}, false); err == nil || !strings.Contains(err.Error(), "lease 1ns") {
		t.Errorf("SetPolicy of a bad lease: %v", err)
	}
	if _, err := q.Expire(t.Context(), "a:b", queue.Failure{}); err == nil || !strings.Contains(err.Error(), `worker id "a:b"`) {
		t.Errorf("Expire of a bad worker: %v", err)
	}
	session := q.Session("a b")
	if _, err := session.Exchange(t.Context(), nil, 1); err == nil || !strings.Contains(err.Error(), `worker id "a b"`) {
		t.Errorf("Exchange of a bad worker: %v", err)
	}
	if _, err := session.Leave(t.Context(), 0); err == nil || !strings.Contains(err.Error(), `worker id "a b"`) {
		t.Errorf("Leave of a bad worker: %v", err)
	}
}

func TestValidateWorker(t *testing.T) {
	for _, good := range []string{"w", "run-w1", "Node.example.com-17-0b5c", "a/b_c+d", strings.Repeat("x", queue.MaxWorkerBytes)} {
		if err := queue.ValidateWorker(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a b", "a:b", `a"b`, "a'b", `a\b`, "a\tb", "a\nb", "a\x00b", "a\x7fb", "é", "\xff", strings.Repeat("x", queue.MaxWorkerBytes+1)} {
		if err := queue.ValidateWorker(bad); err == nil || !strings.Contains(err.Error(), "1 to 253 are allowed") {
			t.Errorf("%q: %v, want an error that says what is allowed", bad, err)
		}
	}
}
