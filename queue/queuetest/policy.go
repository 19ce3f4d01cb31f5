package queuetest

import (
	"errors"
	"reflect"
	"strings"
	"time"

	"sluice.dev/queue"
)

var policySentences = []sentence{
	{"a policy that nobody stated is the default", func(q *subject) {
		q.wantPolicy(queue.DefaultPolicy())
	}},
	{"the first to state a value decides it", func(q *subject) {
		want := queue.DefaultPolicy()
		want.Lease, want.BackoffLimit = 40*time.Second, new(0)
		got := q.state(queue.Policy{Lease: 40 * time.Second, BackoffLimit: new(0)})
		if !reflect.DeepEqual(got, want) {
			q.Errorf("SetPolicy returned %+v, want %+v", got, want)
		}
		q.wantPolicy(want)
		q.wantConflict("lease", queue.Policy{Lease: 50 * time.Second}, "40s", "50s")
		q.wantConflict("backoffLimit", queue.Policy{BackoffLimit: new(6)}, "0", "6")
		q.wantPolicy(want)
	}},
	{"every field may be stated and then conflicts", func(q *subject) {
		first := queue.Policy{
			Lease: 40 * time.Second, BackoffLimit: new(3), RetryDelay: 1500 * time.Millisecond,
			RetryDelayMax: 90 * time.Second, DisruptionLimit: new(4), Retention: 48 * time.Hour,
		}
		q.state(first)
		q.wantPolicy(first)
		for field, other := range map[string]queue.Policy{
			"lease":           {Lease: 41 * time.Second},
			"backoffLimit":    {BackoffLimit: new(4)},
			"retryDelay":      {RetryDelay: time.Second},
			"retryDelayMax":   {RetryDelayMax: time.Second},
			"disruptionLimit": {DisruptionLimit: new(0)},
			"retention":       {Retention: time.Hour},
		} {
			q.wantConflict(field, other)
		}
		q.wantPolicy(first)
	}},
	{"the same value may be stated again, by another client too", func(q *subject) {
		p := queue.Policy{RetryDelay: 7 * time.Second, DisruptionLimit: new(0)}
		want := q.state(p)
		again, err := q.another().SetPolicy(q.ctx, p, false)
		if err != nil || !reflect.DeepEqual(again, want) {
			q.Errorf("another client states the same: %+v, %v; want %+v", again, err, want)
		}
	}},
	{"what was not stated may be stated later", func(q *subject) {
		q.state(queue.Policy{Lease: 40 * time.Second})
		q.state(queue.Policy{RetryDelay: 7 * time.Second})
		want := queue.DefaultPolicy()
		want.Lease, want.RetryDelay = 40*time.Second, 7*time.Second
		q.wantPolicy(want)
	}},
	{"stating the default states it", func(q *subject) {
		q.state(queue.Policy{Lease: queue.DefaultPolicy().Lease})
		q.wantConflict("lease", queue.Policy{Lease: 40 * time.Second})
	}},
	{"a statement with a conflict states nothing", func(q *subject) {
		q.state(queue.Policy{Lease: 40 * time.Second})
		q.wantConflict("lease", queue.Policy{Lease: 50 * time.Second, BackoffLimit: new(1), Retention: 2 * time.Hour})
		q.wantConflict("lease", queue.Policy{RetryDelay: time.Second, Lease: 50 * time.Second})
		want := queue.DefaultPolicy()
		want.Lease = 40 * time.Second
		q.wantPolicy(want)
		q.state(queue.Policy{BackoffLimit: new(2), RetryDelay: 2 * time.Second, Retention: 3 * time.Hour})
	}},
	{"a value that is forced replaces the one in force", func(q *subject) {
		q.state(queue.Policy{Lease: 40 * time.Second, BackoffLimit: new(3)})
		q.force(queue.Policy{Lease: 50 * time.Second})
		want := queue.DefaultPolicy()
		want.Lease, want.BackoffLimit = 50*time.Second, new(3)
		q.wantPolicy(want)
		q.wantConflict("lease", queue.Policy{Lease: 40 * time.Second})
	}},
	{"a stated lease is what a claim gets", func(q *subject) {
		q.state(queue.Policy{Lease: 2 * long})
		q.putIDs("a")
		if l := q.worker("w").claims("a")[0]; l.TTL > 2*long || l.TTL < long {
			q.Errorf("the lease's TTL is %s, want %s", l.TTL, 2*long)
		}
	}},
}

// state states values that nobody contradicts.
func (q *subject) state(p queue.Policy) queue.Policy {
	q.Helper()
	got, err := q.d.SetPolicy(q.ctx, p, false)
	if err != nil {
		q.Fatalf("SetPolicy: %v", err)
	}
	return got
}

func (q *subject) wantPolicy(want queue.Policy) {
	q.Helper()
	if got := q.state(queue.Policy{}); !reflect.DeepEqual(got, want) {
		q.Fatalf("the policy is %+v, want %+v", got, want)
	}
}

// wantConflict wants a statement to be refused with an error that names the
// field and the two values, in force and stated.
func (q *subject) wantConflict(field string, p queue.Policy, values ...string) {
	q.Helper()
	_, err := q.d.SetPolicy(q.ctx, p, false)
	c, ok := errors.AsType[*queue.PolicyConflict](err)
	if !ok {
		q.Fatalf("SetPolicy against the %s in force: %v, want a %T", field, err, c)
	}
	if c.Field != field || c.InForce == "" || c.Stated == "" || c.InForce == c.Stated {
		q.Fatalf("the conflict is %+v, want one of %s with two values", *c, field)
	}
	for _, v := range values {
		if !strings.Contains(c.Error(), v) {
			q.Fatalf("the conflict %q does not name %s", c, v)
		}
	}
}
