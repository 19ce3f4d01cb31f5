package job

import "time"

// The delays of a cluster: the Job controller's before it replaces a failed
// pod, and the kubelet's before it restarts a container in place.
const (
	replaceDelay, replaceDelayMax = 10 * time.Second, 6 * time.Minute
	restartDelay, restartDelayMax = 10 * time.Second, 5 * time.Minute
)

// doubled is first, doubled for each further failure, up to limit.
func doubled(first, limit time.Duration, failures int32) time.Duration {
	d := first
	for ; failures > 1 && d < limit; failures-- {
		d *= 2
	}
	return min(d, limit)
}

// failures are those in a row since the last success.
type failures struct {
	n       int32
	last    time.Time
	success time.Time
}

// failed counts a failure. One of the same moment as a success is not after it.
func (f *failures) failed(now time.Time) {
	if now.After(f.success) {
		f.n, f.last = f.n+1, now
	}
}

// until is when a replacement may start.
func (f *failures) until() time.Time {
	if f.n == 0 {
		return time.Time{}
	}
	return f.last.Add(doubled(replaceDelay, replaceDelayMax, f.n))
}

// restarts says how long a container that has failed waits, as the kubelet has
// it: the first restart comes at once, and one that ran for long starts anew.
type restarts struct {
	n    int32
	last time.Time // when the last delay was given
}

func (r *restarts) next(now time.Time) time.Duration {
	if r.n > 0 && now.Sub(r.last) > 2*restartDelayMax {
		r.n = 0
	}
	delay := time.Duration(0)
	if r.n > 0 {
		delay = doubled(restartDelay, restartDelayMax, r.n)
	}
	r.n++
	r.last = now.Add(delay)
	return delay
}
