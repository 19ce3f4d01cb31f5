package worker

import (
	"fmt"
	"slices"
	"time"

	"sluice.dev/queue"
)

const (
	// atOnce is how soon after its start an attempt failed "at once".
	atOnce = 2 * time.Second

	firstSuspectPause   = 10 * time.Second
	longestSuspectPause = 6 * time.Minute
)

// suspicion tells when a worker should suspect itself: the last items that it
// tried all failed at once, or all for one cause, with no success between.
// Then the node or the command may be broken rather than the items, and the
// worker claims nothing for a pause, which doubles each time that the
// suspicion is confirmed. Until an item succeeds it is on trial.
type suspicion struct {
	after   int // distinct items; below 1 is never
	recent  []failed
	strikes int
	until   time.Duration // the end of the pause
}

// failed is the newest failure of an item.
type failed struct {
	id    string
	cause queue.Cause
	quick bool
}

// failure counts an attempt that failed after it ran for took. It returns the
// reason if a pause begins at now, and "" otherwise.
func (s *suspicion) failure(now time.Duration, id string, cause queue.Cause, took time.Duration) string {
	if s.after < 1 {
		return ""
	}
	s.recent = slices.DeleteFunc(s.recent, func(f failed) bool { return f.id == id })
	if len(s.recent) == s.after {
		s.recent = slices.Delete(s.recent, 0, 1)
	}
	s.recent = append(s.recent, failed{id, cause, took < atOnce})
	reason := s.reason()
	if reason == "" || s.paused(now) {
		return ""
	}
	s.until = now + min(firstSuspectPause<<min(s.strikes, 10), longestSuspectPause)
	s.strikes++
	return reason
}

// reason is what the recent failures have in common, or "".
func (s *suspicion) reason() string {
	if len(s.recent) < s.after {
		return ""
	}
	quick, same := true, true
	for _, f := range s.recent {
		quick = quick && f.quick
		same = same && f.cause == s.recent[0].cause
	}
	switch {
	case same:
		return fmt.Sprintf("the last %d items all failed with %s", s.after, s.recent[0].cause)
	case quick:
		return fmt.Sprintf("the last %d items all failed within %s of their start", s.after, atOnce)
	}
	return ""
}

// success clears the worker and tells whether it was on trial.
func (s *suspicion) success() bool {
	was := s.onTrial()
	*s = suspicion{after: s.after}
	return was
}

// paused tells whether the worker should claim nothing.
func (s *suspicion) paused(now time.Duration) bool { return s.onTrial() && now < s.until }

// onTrial tells whether the worker should try one item at a time.
func (s *suspicion) onTrial() bool { return s.strikes > 0 }
