package job

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Actions are what a Sync has decided. A pod that it names in End goes on, as
// terminating, until Observe is told of its end.
type Actions struct {
	Start []*corev1.Pod
	End   []string  // names of pods to tell to end, with the grace that each has
	Next  time.Time // when to call Sync again though nothing happens; zero: never
	Done  bool      // the Job has finished, or was deleted and its pods have ended
}

// soonest makes the next call no later than t.
func (a *Actions) soonest(t time.Time) {
	if a.Next.IsZero() || t.Before(a.Next) {
		a.Next = t
	}
}
