package console

import (
	"fmt"

	"sluice.dev/internal/plain"
	"sluice.dev/queue"
)

// FailedAttempt is an attempt at an item that counts and did not succeed.
type FailedAttempt struct {
	Queue   string // where several may be meant
	Item    queue.Item
	Attempt int
	Failure queue.Failure
	Dead    bool // the item is not tried again
}

// Line is the attempt as a person reads it. Nothing that comes from the item can
// drive a terminal or break the line.
func (f FailedAttempt) Line() string {
	of, then := "", "retried"
	if f.Queue != "" {
		of = f.Queue + ": "
	}
	if f.Dead {
		then = "dead"
	}
	return fmt.Sprintf("sluice: %s%s: attempt %d failed, the item is %s: %s\n", of,
		plain.Text(shorten(itemName(f.Item), maxNameBytes)), f.Attempt, then,
		plain.Text(shorten(f.Failure.String(), maxReasonBytes)))
}

// Attempts counts what became of attempts.
type Attempts struct {
	Done, Dead int64 // items
	Failed     int64 // attempts, those of the dead among them
}

// Line is what a worker says at its end.
func (a Attempts) Line() string {
	s := fmt.Sprintf("%d done, %d dead", a.Done, a.Dead)
	if a.Failed > 0 {
		s += ", " + count(a.Failed, "attempt") + " failed"
	}
	return s + "\n"
}

// More is what a worker says of failed attempts that it has no line for each.
func (a Attempts) More() string {
	s := fmt.Sprintf("sluice: and %s failed", count(a.Failed, "more attempt"))
	if a.Dead > 0 {
		s += ", " + count(a.Dead, "item") + " dead"
	}
	return s + "\n"
}
