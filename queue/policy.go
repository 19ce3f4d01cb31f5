package queue

import (
	"fmt"
	"time"
)

// Policy is how a queue treats its items. It is stored with the queue by
// whoever first states a value. A nil or zero field states nothing.
type Policy struct {
	Lease           time.Duration // how long a lease lasts; default 30 s, 1 s to 24 h
	BackoffLimit    *int          // retries of an item, as in batch/v1; default 6, so 7 attempts
	RetryDelay      time.Duration // before the first retry, doubled for each further one; default 10 s
	RetryDelayMax   time.Duration // the most that a retry waits; default 6 min
	DisruptionLimit *int          // releases of an item; default 20
	Retention       time.Duration // how long a done record is kept; default 7 days
}

// DefaultPolicy is the policy that nobody has stated.
func DefaultPolicy() Policy {
	backoff, disruptions := 6, 20
	return Policy{
		Lease:           30 * time.Second,
		BackoffLimit:    &backoff,
		RetryDelay:      10 * time.Second,
		RetryDelayMax:   6 * time.Minute,
		DisruptionLimit: &disruptions,
		Retention:       7 * 24 * time.Hour,
	}
}

// Validate tells what is wrong with a policy, naming the field, the value and
// what is allowed.
func (p Policy) Validate() error {
	for _, d := range []struct {
		name     string
		v        time.Duration
		min, max time.Duration
	}{
		{"lease", p.Lease, time.Second, 24 * time.Hour},
		{"retryDelay", p.RetryDelay, time.Millisecond, 24 * time.Hour},
		{"retryDelayMax", p.RetryDelayMax, time.Millisecond, 24 * time.Hour},
		{"retention", p.Retention, time.Minute, 365 * 24 * time.Hour},
	} {
		if d.v != 0 && (d.v < d.min || d.v > d.max) {
			return fmt.Errorf("%s %s is out of range: %s to %s", d.name, d.v, d.min, d.max)
		}
	}
	for _, n := range []struct {
		name string
		v    *int
	}{{"backoffLimit", p.BackoffLimit}, {"disruptionLimit", p.DisruptionLimit}} {
		if n.v != nil && (*n.v < 0 || *n.v > 1_000_000) {
			return fmt.Errorf("%s %d is out of range: 0 to 1000000", n.name, *n.v)
		}
	}
	return nil
}

// PolicyConflict is a stated value that differs from the one in force.
type PolicyConflict struct {
	Field, InForce, Stated string
}

func (e *PolicyConflict) Error() string {
	return fmt.Sprintf("%s of this queue is %s, and %s was asked for: say the same, leave it out, or set it on purpose", e.Field, e.InForce, e.Stated)
}
