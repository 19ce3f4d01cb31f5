package machine_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice.dev/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func standing() queuetest.Harness {
	c := &clock{start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	return queuetest.Harness{Open: opener(c), Advance: c.advance}
}

// The conformance suite on the machine alone. Each sentence ends with a replay
// of all that was decided in it.
func TestConformanceOfTheMachine(t *testing.T) {
	t.Run("standing clock", func(t *testing.T) { queuetest.Run(t, standing()) })
	t.Run("running clock", func(t *testing.T) {
		t.Parallel()
		queuetest.Run(t, queuetest.Harness{Open: opener(&clock{runs: true})})
	})
}

func TestMutants(t *testing.T) {
	for _, m := range queuetest.Mutants() {
		if m.Name == "does not say when to look again" {
			continue // those who wait are woken when something comes due: they need not look
		}
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			queuetest.MustFail(t, standing(), m)
		})
	}
}

func TestAWorkerAtALongItemIsListed(t *testing.T) {
	h := standing()
	queuetest.LongItems(t, h.Open(t, "q"), h.Advance)
}
