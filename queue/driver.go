package queue

import (
	"context"
	"fmt"
	"time"
)

// Driver is a store of one queue.
//
// It is safe for concurrent use. It neither retries nor logs: an error of the
// store comes back wrapped in ErrUnavailable when the same call may be tried
// again, as itself when that is pointless. A cancelled context returns at
// once, with an error that is the context's, and changes nothing that was not
// under way. Arguments are not retained after the call, results belong to the
// caller. Input is checked before it gets here.
type Driver interface {
	Producer
	Consumer
	Inspector
	Controller
	Operator
	Close() error
}

// Producer adds items.
type Producer interface {
	// Enqueue adds items, in their order, and returns one outcome for each.
	Enqueue(ctx context.Context, items []Item) ([]Outcome, error)
	// Seal says that nothing more joins a batch. Sealing twice is no error.
	Seal(ctx context.Context, batch string) error
}

// Consumer is the store as a worker sees it. Every method that takes a lease
// refuses a token that is not current with ErrLeaseLost and changes nothing.
type Consumer interface {
	Exchange(ctx context.Context, x Exchange) (Reply, error)
	// Extend renews leases to the queue's full lease from now. No deadline moves
	// back by it, though the lease was made shorter. The errors are one for each
	// lease: nil or ErrLeaseLost.
	Extend(ctx context.Context, worker string, leases []Lease) ([]error, error)
	// Commit decides what the item publishes: from here on a later holder
	// finds record in its lease instead of running the item again. The same
	// token may commit the same record twice.
	Commit(ctx context.Context, l Lease, record []byte) error
	// Wait returns when there may be something to claim for the worker, when
	// it may leave, and after limit at the latest. Many may wait; few are woken.
	Wait(ctx context.Context, worker string, limit time.Duration) error
	// Leave asks for the worker to stop: granted, in one step with the check,
	// only if nothing is claimable and nothing comes due within idle. After
	// it the worker's claims return nothing and Reply.Gone, and its wait ends.
	Leave(ctx context.Context, worker string, idle time.Duration) (bool, error)
}

// Inspector reads without changing anything that a caller can see.
type Inspector interface {
	// Depth is exact at the moment of the call.
	Depth(ctx context.Context) (Depth, error)
	// Items lists records that match, ordered by state.
	Items(ctx context.Context, q Query) ([]Record, error)
	// Batches lists every batch, oldest first.
	Batches(ctx context.Context) ([]BatchInfo, error)
}

// Controller steers a queue from outside.
type Controller interface {
	// Expire ends every lease of a worker that is proven dead, as if their
	// deadlines had passed with this failure, and returns how many. Of what
	// was CauseInterrupted, none of the item's doing, no attempt is counted:
	// it is as if the worker had released it before its end and left. The worker
	// is given nothing more: what it sent before its death, and comes after this,
	// claims nothing and gets Reply.Gone.
	Expire(ctx context.Context, worker string, f Failure) (int, error)
	// SetPolicy states values of the policy (its zero fields state nothing)
	// and returns the whole policy in force. A value that differs from the
	// one in force is a *PolicyConflict unless force is set.
	SetPolicy(ctx context.Context, p Policy, force bool) (Policy, error)
}

// Operator is what a person does to a queue, its batches and its items.
type Operator interface {
	// OpenBatch makes a batch before its first item, where it has more to
	// say than a name. Opening it again is no error if After is the same and
	// Deadline too, or not stated.
	OpenBatch(ctx context.Context, b Batch) error
	// ChangeBatch does v to a batch, whatever its size, at the cost of its
	// leased items. ErrNotFound if there is none of that name; ErrCommitted
	// where DeleteBatch meets an item whose output is decided.
	ChangeBatch(ctx context.Context, name string, v BatchVerb) error
	// ChangeItems does v to items, and returns an error for each: nil,
	// ErrNotFound, ErrCommitted or a *WrongState. It reads the ready lists
	// that the items stand in.
	ChangeItems(ctx context.Context, v ItemVerb, ids []string) ([]error, error)
	// Pause stops claims, or lets them go on. Leases that are held go on.
	Pause(ctx context.Context, paused bool) error
	// Workers lists those that spoke to the queue within the last hour or hold
	// a lease, and are not proven dead. Those that were interrupted have left.
	Workers(ctx context.Context) ([]WorkerInfo, error)
	// Watch returns when the queue may have changed since the last call of
	// Watch by this driver began, and after limit at the latest. It costs the
	// store nothing per watcher and change but a message.
	Watch(ctx context.Context, limit time.Duration) error
	// Drop deletes the queue with all that it holds.
	Drop(ctx context.Context) error
}

// Batch is what is said of a batch when it is opened.
type Batch struct {
	Name     string
	After    string        // the batch that must be Complete before this one's items are ready
	Deadline time.Duration // from when it is made; what is unfinished then is cancelled; 0 states none
}

// BatchVerb changes a batch.
type BatchVerb string

// What can be done to a batch.
const (
	SuspendBatch BatchVerb = "suspend" // its ready items are held
	ResumeBatch  BatchVerb = "resume"
	CancelBatch  BatchVerb = "cancel" // its unfinished items are cancelled, its leases revoked
	DeleteBatch  BatchVerb = "delete" // its ids are forgotten at once, the done ones too
)

// ItemVerb changes an item.
type ItemVerb string

// What can be done to an item.
const (
	RetryItem  ItemVerb = "retry"  // a dead one: ready again, with its attempts counted anew
	CancelItem ItemVerb = "cancel" // an unfinished one
	DeleteItem ItemVerb = "delete" // its id is forgotten, its lease revoked
)

// WrongState refuses to change an item that is in a state which forbids it.
type WrongState struct {
	Verb  ItemVerb
	ID    string
	State State // of the item; Ready also stands for delayed, blocked and leased
}

func (e *WrongState) Error() string {
	return fmt.Sprintf("cannot %s item %.60q: it is %s", e.Verb, e.ID, e.State)
}

// WorkerInfo is a worker as the store knows it.
type WorkerInfo struct {
	ID     string
	Leases int
	Seen   time.Duration // since its last exchange
	Gone   bool          // it was allowed to leave, or was interrupted
}

// Depth counts the items of a queue by state.
type Depth struct {
	Blocked, Delayed, Ready, Leased, Done, Dead, Cancelled int64

	Held    int64         // of Ready: those that no one may claim, since their batch is suspended or the queue paused
	Paused  bool          // the queue is, as its batches say too: all of Ready is held
	NextDue time.Duration // until the first delayed item or lease deadline; negative if there is none
}

// Claimable is the ready items that a claim would get now.
func (d Depth) Claimable() int64 { return d.Ready - d.Held }

// Unfinished is the items that may still be worked on.
func (d Depth) Unfinished() int64 { return d.Blocked + d.Delayed + d.Ready + d.Leased }

// Total is every item that the queue keeps.
func (d Depth) Total() int64 { return d.Unfinished() + d.Done + d.Dead + d.Cancelled }

// Query selects items. Its zero value is every item that is not done.
type Query struct {
	States []State // nil: all but Done
	ID     string  // only this one, whatever its state
	Batch  string
	Limit  int // 0: no limit
}

// Record is an item as a person sees it.
type Record struct {
	Item     Item
	State    State
	Attempts int // attempts that ended
	Releases int
	Failures []Failure     // of the attempts that ended, the newest MaxFailures of them, oldest first
	Result   []byte        // of a done item
	Token    uint64        // of a leased item
	Worker   string        // of a leased item
	Due      time.Duration // of a delayed item until it is ready, of a leased one until its deadline
}

// MaxFailures is how many failures a record keeps; the first is always one of
// them.
const MaxFailures = 8

// BatchInfo is a batch and its counts.
type BatchInfo struct {
	Name      string
	Sealed    bool
	Suspended bool
	Cancelled bool
	Reason    string        // of the cancellation: Cancelled or DeadlineExceeded
	After     string        // the batch that it waits for or waited for
	Age       time.Duration // since it was made
	Deadline  time.Duration // until its deadline; 0 if it has none
	Depth     Depth
}

// State is the batch in one word, for people.
func (b BatchInfo) State() string {
	switch {
	case b.Complete():
		return "Complete"
	case b.Cancelled:
		return "Cancelled"
	case b.Failed():
		return "Failed"
	case b.Suspended:
		return "Suspended"
	case b.Depth.Blocked > 0:
		return "Blocked"
	case !b.Sealed:
		return "Open"
	}
	return "Running"
}

// Complete tells whether everything that the batch will ever hold is done.
func (b BatchInfo) Complete() bool {
	return b.Sealed && !b.Cancelled && b.Depth.Unfinished()+b.Depth.Dead+b.Depth.Cancelled == 0
}

// Failed tells whether the batch has ended without all of it done.
func (b BatchInfo) Failed() bool {
	return b.Sealed && b.Depth.Unfinished() == 0 && b.Depth.Dead+b.Depth.Cancelled > 0
}
