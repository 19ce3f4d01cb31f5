package queue_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
)

func TestProbeClock(t *testing.T) {
	for name, test := range map[string]struct {
		trip time.Duration
		time func(asked int) time.Duration // ahead of this machine's clock
		want []string
	}{
		"near and right": {2 * time.Millisecond, func(int) time.Duration { return 0 },
			[]string{"latency ok a round trip takes 2ms, at the most 2ms of 20", "clock ok the store's clock differs from this machine's by 0s; it alone decides deadlines"}},
		"far away": {80 * time.Millisecond, func(int) time.Duration { return time.Second },
			[]string{"latency warn a round trip takes 80ms, at the most 80ms of 20: every exchange", "clock ok the store's clock differs from this machine's by 1s;"}},
		"slow clock": {time.Millisecond, func(int) time.Duration { return -time.Hour },
			[]string{"latency ok", "clock warn the store's clock differs from this machine's by -1h0m0s: one of them is not set by NTP"}},
		"clock set back": {time.Millisecond, func(asked int) time.Duration {
			if asked > 10 {
				return -5 * time.Second
			}
			return 0
		}, []string{"latency ok", "clock warn the store's clock has jumped by -5s while it was watched"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				got, err := queue.ProbeClock(t.Context(), func(context.Context) (time.Time, error) {
					asked++
					time.Sleep(test.trip / 2)
					at := time.Now().Add(test.time(asked))
					time.Sleep(test.trip / 2)
					return at, nil
				})
				if err != nil || len(got) != len(test.want) {
					t.Fatalf("%v, %v", got, err)
				}
				for i, f := range got {
					if text := f.Check + " " + string(f.Verdict) + " " + f.Detail; !strings.HasPrefix(text, test.want[i]) {
						t.Errorf("finding %q, want %q...", text, test.want[i])
					}
				}
			})
		})
	}
}

func TestProbeClockOfAStoreWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := queue.ProbeClock(t.Context(), func(context.Context) (time.Time, error) { return time.Time{}, nil })
		if err != nil || len(got) != 1 || got[0].Check != "latency" {
			t.Errorf("%v, %v", got, err)
		}
		lost := errors.New("lost")
		if _, err := queue.ProbeClock(t.Context(), func(context.Context) (time.Time, error) { return time.Time{}, lost }); !errors.Is(err, lost) {
			t.Errorf("error %v", err)
		}
	})
}

func TestVerdictsAreOrderedFromGoodToBad(t *testing.T) {
	order := []queue.Verdict{queue.VerdictOK, queue.VerdictUnknown, queue.VerdictWarn, queue.VerdictFault}
	for i := range order[1:] {
		if order[i].Compare(order[i+1]) >= 0 {
			t.Errorf("%s is no better than %s", order[i], order[i+1])
		}
	}
}
