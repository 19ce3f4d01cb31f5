package console

import (
	"strings"
	"testing"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

func TestAttempts(t *testing.T) {
	b, err := payload.Payload{Arg: "in/a\x1b[2J\nb.wav", N: 1}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	named := queue.Item{ID: "id", Payload: b}
	for want, got := range map[string]string{
		`sluice: in/a\x1b[2J\nb.wav: attempt 2 failed, the item is retried: ExitCode: exit code 3`: FailedAttempt{Item: named, Attempt: 2, Failure: exit(3, "no\n")}.Line(),
		"sluice: films: only-an-id: attempt 7 failed, the item is dead: Stalled": FailedAttempt{
			Queue: "films", Item: queue.Item{ID: "only-an-id"}, Attempt: 7, Failure: queue.Failure{Cause: queue.CauseStalled}, Dead: true,
		}.Line(),
		"sluice: a: attempt 1 failed, the item is dead: Error: " + strings.Repeat("d", maxReasonBytes-7) + "...": FailedAttempt{
			Item: queue.Item{ID: "a"}, Attempt: 1, Failure: queue.Failure{Cause: queue.CauseError, Message: strings.Repeat("d", 300)}, Dead: true,
		}.Line(),
		"12 done, 0 dead":                                   Attempts{Done: 12}.Line(),
		"12 done, 1 dead, 1 attempt failed":                 Attempts{Done: 12, Dead: 1, Failed: 1}.Line(),
		"12 done, 1 dead, 3 attempts failed":                Attempts{Done: 12, Dead: 1, Failed: 3}.Line(),
		"sluice: and 1 more attempt failed":                 Attempts{Failed: 1}.More(),
		"sluice: and 20 more attempts failed, 2 items dead": Attempts{Failed: 20, Dead: 2}.More(),
	} {
		if got != want+"\n" {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
