package main

import (
	"time"

	"github.com/spf13/pflag"

	"sluice.dev/queue"
)

// policyFlags state how a queue treats its items. What is not given states
// nothing.
type policyFlags struct {
	lease, retryDelay, retryDelayMax, retention time.Duration
	backoffLimit, disruptionLimit               int
}

func (f *policyFlags) register(fs *pflag.FlagSet) {
	fs.Var(durationValue{&f.lease, time.Second, day}, "lease", "how long a lease lasts unless it is renewed; a third of it passes between renewals")
	fs.Var(intValue{&f.backoffLimit, 0, 1_000_000}, "backoff-limit", "how often an item that fails is tried again")
	fs.Var(durationValue{&f.retryDelay, time.Millisecond, day}, "retry-delay", "before the first retry; doubled for each further one")
	fs.Var(durationValue{&f.retryDelayMax, time.Millisecond, day}, "retry-delay-max", "the most that a retry waits")
	fs.Var(intValue{&f.disruptionLimit, 0, 1_000_000}, "disruption-limit", "how often an item may be given back")
	fs.Var(durationValue{&f.retention, time.Minute, 365 * day}, "retention", "how long a done item is remembered")
}

// policy is what was stated, and whether anything was.
func (f *policyFlags) policy(fs *pflag.FlagSet) (p queue.Policy, stated bool) {
	p = queue.Policy{Lease: f.lease, RetryDelay: f.retryDelay, RetryDelayMax: f.retryDelayMax, Retention: f.retention}
	if fs.Changed("backoff-limit") {
		p.BackoffLimit = &f.backoffLimit
	}
	if fs.Changed("disruption-limit") {
		p.DisruptionLimit = &f.disruptionLimit
	}
	return p, p != queue.Policy{}
}
