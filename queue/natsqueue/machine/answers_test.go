package machine_test

import (
	"bytes"
	"fmt"
	"testing"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/machine"
)

// The latest answers are kept, as many as have room, and a machine that replays
// keeps the same.
func TestTheLatestAnswersAreKept(t *testing.T) {
	for name, test := range map[string]struct {
		size, calls, kept int
	}{
		"few":      {10, 100, 100},
		"many":     {10, 20_000, 1 << 14},
		"large":    {1 << 20, 40, 16},
		"enormous": {17 << 20, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			m, text := machine.New(), bytes.Repeat([]byte("a"), test.size)
			for call := range test.calls {
				m.Answer(uint64(call), text)
			}
			again := machine.New()
			if err := again.Replay(m.Take()); err != nil {
				t.Fatal(err)
			}
			for _, m := range []*machine.Machine{m, again} {
				for call := range test.calls {
					got, ok := m.Answered(uint64(call))
					if kept := call >= test.calls-test.kept; ok != kept || kept && !bytes.Equal(got, text) {
						t.Fatalf("answer %d of %d: kept is %t, want %t", call, test.calls, ok, kept)
					}
				}
			}
		})
	}
}

// A call that comes again has one answer, the first.
func TestTheFirstAnswerStands(t *testing.T) {
	m := machine.New()
	m.Answer(1, []byte("first"))
	m.Answer(1, []byte("second"))
	if got, ok := m.Answered(1); !ok || string(got) != "first" {
		t.Errorf("answer %q, %t", got, ok)
	}
}

// What is expected is no promise: more items or fewer may come.
func TestExpectIsNoPromise(t *testing.T) {
	m := machine.New()
	entries := make([]machine.Entry, 100)
	for i := range entries {
		it := queue.Item{ID: fmt.Sprint(i)}
		entries[i] = machine.Entry{Item: it, Digest: machine.DigestOf(it)}
	}
	if _, err := m.Enqueue(1, entries); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 100, 10_000} {
		again := machine.New()
		again.Expect(n)
		if err := again.Replay(whole(m)); err != nil || !bytes.Equal(whole(again), whole(m)) {
			t.Errorf("%d were expected: %v, or another state", n, err)
		}
	}
}
