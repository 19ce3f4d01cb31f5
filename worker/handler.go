// Package worker claims items, runs a Handler on each and settles what became
// of them: it renews leases while a handler works, cancels the handler whose
// lease is lost, and gives back what it cannot finish.
package worker

import (
	"context"
	"errors"
	"strings"
	"time"

	"sluice.dev/queue"
)

// Handler does the work of one item. It must be safe for concurrent use, and
// idempotent: an item may run again after a worker or a store failed.
//
// Its error says what becomes of the item: nil is done; Permanent buries it;
// Retry tries it again after a delay of its own; Release gives it back without
// counting an attempt; any other error counts an attempt and tries again after
// the queue's delay. Fail adds a cause, an exit code and a tail of stderr.
//
// The context is cancelled with cause queue.ErrLeaseLost when the lease is
// gone (whatever is returned then is not settled) and with ErrShutdown when the
// worker must leave before the item is done. An error that says nothing else
// is a Release then. A panic is an error like any other.
type Handler interface {
	Handle(ctx context.Context, a *Attempt) error
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, a *Attempt) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, a *Attempt) error { return f(ctx, a) }

// ErrShutdown is the cause of a context that ends since the worker leaves.
var ErrShutdown = errors.New("the worker is leaving")

// Persistent is a Handler whose work is worth going on with while the store
// cannot be reached, since it publishes nothing without a Commit.
type Persistent interface {
	Handler
	// StoreGrace is how long a handler may run on after its lease's deadline
	// has passed by the worker's clock. It is cancelled sooner when the store
	// answers that the lease is lost.
	StoreGrace() time.Duration
}

// Attempt is one try at an item, for as long as its handler runs.
//
// The context of a handler has no deadline, since the lease has none that
// stands: each renewal moves it. Deadline tells where it is.
type Attempt struct {
	queue.Lease
	Worker string // the worker's id
	Slot   int    // 1 to the worker's concurrency; no two running attempts of a worker share one
	Result []byte // set by the handler; kept with the done record

	commit   func(ctx context.Context, record []byte) error
	deadline func() time.Time
}

// NewAttempt is an attempt outside a worker, for handlers under test.
func NewAttempt(l queue.Lease, worker string, slot int, commit func(context.Context, []byte) error) *Attempt {
	end := time.Now().Add(l.TTL)
	return &Attempt{Lease: l, Worker: worker, Slot: slot, commit: commit, deadline: func() time.Time { return end }}
}

// Deadline is when the lease ends unless the worker renews it until then, as
// it does every third of a lease, by this machine's clock. It moves with each
// renewal, so what it says is old at once. After a deadline that has passed
// the store may have given the item to another.
func (a *Attempt) Deadline() time.Time { return a.deadline() }

// Commit decides in the store what this attempt publishes. After it a later
// holder finishes the publishing from record instead of running the item
// again. It returns queue.ErrLeaseLost, with nothing changed, unless the
// attempt's token is the current one, and tries for as long as ctx lasts while
// the store cannot be reached.
func (a *Attempt) Commit(ctx context.Context, record []byte) error { return a.commit(ctx, record) }

// intent is an error that says how its lease is settled.
type intent struct {
	err     error
	verb    queue.Verb
	after   time.Duration
	backoff bool
}

func (e *intent) Error() string { return e.err.Error() }
func (e *intent) Unwrap() error { return e.err }

// Permanent is an error that no retry mends: the item is dead at once.
func Permanent(err error) error { return &intent{err: err, verb: queue.Bury} }

// Retry is an error after which the item waits this long before its next
// attempt, in place of the queue's own delay.
func Retry(err error, after time.Duration) error {
	return &intent{err: err, verb: queue.Nack, after: after}
}

// Release gives the item back unharmed: the reason is not in the item. It
// comes back at once the first time, later with growing delays.
func Release(err error) error { return &intent{err: err, verb: queue.Release} }

// ReleaseDelayed gives the item back unharmed, delayed from the first time.
func ReleaseDelayed(err error) error {
	return &intent{err: err, verb: queue.Release, backoff: true}
}

// failure is an error with its particulars.
type failure struct{ queue.Failure }

func (e *failure) Error() string { return e.Failure.String() }

// Fail is an error with a cause, an exit code and a tail of stderr. It counts
// as an attempt unless it is wrapped in Permanent, Retry or Release.
func Fail(f queue.Failure) error { return &failure{f} }

// maxMessageBytes bounds the message of a failure.
const maxMessageBytes = 4 << 10

// Settlement says how an attempt's lease ends after its handler has set result
// and returned err; ctx is the handler's, whose end may turn an error into a
// Release. A Worker settles by it; tests of a handler may ask it what an error
// comes to.
func Settlement(ctx context.Context, l queue.Lease, result []byte, err error) queue.Settlement {
	if err == nil {
		return queue.Settlement{Lease: l, Verb: queue.Ack, Result: result}
	}
	s := queue.Settlement{Lease: l, Verb: queue.Nack, Failure: queue.Failure{Cause: queue.CauseError, Message: err.Error()}}
	in, intended := errors.AsType[*intent](err)
	f, detailed := errors.AsType[*failure](err)
	if intended {
		s.Verb, s.After, s.Backoff = in.verb, in.after, in.backoff
	}
	if detailed {
		s.Failure = f.Failure
	}
	if !detailed && errors.Is(context.Cause(ctx), ErrShutdown) && (!intended || s.Verb == queue.Release) {
		s.Verb, s.Failure.Cause = queue.Release, queue.CauseInterrupted
	}
	s.Failure.Message = head(s.Failure.Message, maxMessageBytes)
	if n := len(s.Failure.Stderr); n > queue.MaxStderrBytes {
		s.Failure.Stderr = strings.ToValidUTF8(s.Failure.Stderr[n-queue.MaxStderrBytes:], "")
	}
	return s
}

// head is at most n bytes from the start of s.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
