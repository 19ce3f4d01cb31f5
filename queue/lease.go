package queue

import (
	"errors"
	"time"
)

// Errors that a Driver returns, wrapped or bare.
var (
	// ErrLeaseLost refuses a token that is not current: the store has given
	// the item to another holder, or it is settled already. Nothing changed.
	ErrLeaseLost = errors.New("lease lost: the token is not current")
	// ErrUnavailable is a store that did not answer. The call may or may not
	// have happened; an exchange may be sent again with its number.
	ErrUnavailable = errors.New("store unavailable")
	// ErrNotFound is a name that the store does not know.
	ErrNotFound = errors.New("not found")
	// ErrCommitted refuses to cancel or delete an item whose output is decided.
	ErrCommitted = errors.New("already committed")
	// ErrStale refuses an exchange whose number is below the worker's last.
	ErrStale = errors.New("exchange is older than the worker's last")
)

// Lease is the right to work on an item. It is plain data: copying it gives
// no second right, since the store knows one token.
type Lease struct {
	Item      Item
	Token     uint64        // grows with every lease of the item
	Attempt   int           // 1 for an item that never failed
	Again     bool          // another lease of it was begun: something of that may be left, though Attempt is 1
	TTL       time.Duration // what remained when the store answered; count from before the call
	Committed []byte        // the record that an earlier holder committed; nil if none did
	Ref       string        // the store's handle; opaque
}

// Verb is how a lease ends.
type Verb uint8

// The ways to end a lease.
const (
	Ack     Verb = iota + 1 // done
	Nack                    // failed: counts an attempt, again after a delay, dead past the limit
	Release                 // given back unharmed: counts no attempt
	Bury                    // failed for good: dead at once
)

func (v Verb) String() string {
	return [...]string{"unknown", "ack", "nack", "release", "bury"}[min(v, Bury)]
}

// Settlement ends one lease.
type Settlement struct {
	Lease   Lease
	Verb    Verb
	Result  []byte        // Ack: kept with the done record
	Failure Failure       // Nack, Bury, Release: why
	After   time.Duration // Nack, Release: this delay instead of the queue's own when above 0
	Backoff bool          // Release: wait from the first time, not only from the second
	// Unstarted says of a Release that nothing was begun: the item comes back
	// at once, however often, and not even the release is counted.
	Unstarted bool
}

// Exchange settles many leases and claims many in one round trip.
//
// The store keeps the last reply of each live worker: the same Seq again gets
// the same reply and changes nothing, so a lost reply is made good by sending
// the exchange once more. A worker has one exchange under way at a time, with
// numbers that grow; use a Session.
type Exchange struct {
	Worker string // unique among live workers
	Seq    uint64
	Settle []Settlement
	Claim  int // at most this many leases; 0 only settles
}

// Reply answers an Exchange.
type Reply struct {
	Settled []error // one for each settlement, nil or ErrLeaseLost
	Leases  []Lease
	// Next is how long until this worker should look again though no ring
	// came: a delay or a lease ends, or its turn to look for lost rings. It
	// is what Wait wants.
	Next time.Duration
	// Gone says that the worker was allowed to leave: it claims nothing more.
	Gone bool
}

// Cause names why an attempt failed, in one word that people can count by.
type Cause string

// The causes of failure.
const (
	CauseExitCode           Cause = "ExitCode"
	CauseKilled             Cause = "Killed"
	CauseOOMKilled          Cause = "OOMKilled"
	CauseDeadlineExceeded   Cause = "DeadlineExceeded"
	CauseStalled            Cause = "Stalled"
	CauseLeaseExpired       Cause = "LeaseExpired"
	CauseResourceExceeded   Cause = "ResourceExceeded"
	CauseBadOutput          Cause = "BadOutput"
	CauseCannotStart        Cause = "CannotStart"
	CauseInputChanged       Cause = "InputChanged"
	CauseInterrupted        Cause = "Interrupted"
	CauseError              Cause = "Error" // what a Handler returned
	CauseTooManyDisruptions Cause = "TooManyDisruptions"
)

// MaxStderrBytes bounds the tail of stderr that a Failure keeps.
const MaxStderrBytes = 4 << 10

// Failure is why an attempt did not end in an ack.
type Failure struct {
	Cause    Cause  `json:"cause"`
	Message  string `json:"message,omitempty"`
	ExitCode int    `json:"exitCode,omitempty"`
	Stderr   string `json:"stderr,omitempty"` // the tail, at most MaxStderrBytes
}

func (f Failure) String() string {
	if f.Message == "" {
		return string(f.Cause)
	}
	return string(f.Cause) + ": " + f.Message
}
