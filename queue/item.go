package queue

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of an item.
const (
	MaxIDBytes      = 512
	MaxPayloadBytes = 1 << 20
	MaxNameBytes    = 253 // of a queue's or a batch's name

	// DefaultPriority is the priority of an item that states none. 9 is the
	// most urgent, 1 the least.
	DefaultPriority = 5
	MaxPriority     = 9
)

// Item is one unit of work. Its id is unique in its queue.
type Item struct {
	ID       string        // 1 to MaxIDBytes bytes of UTF-8
	Payload  []byte        // any bytes, at most MaxPayloadBytes
	Priority int           // 1 to 9; 0 means DefaultPriority
	Delay    time.Duration // ready this long after the enqueue, by the store's clock; 0 is at once
	Batch    string        // the batch that it joins; "" is the queue's own batch, which is never sealed
	Output   string        // a name that only one item of the queue may publish; "" claims none
}

// Validate tells what is wrong with an item, naming the field, the value and
// what is allowed.
func (it Item) Validate() error {
	switch {
	case it.ID == "":
		return fmt.Errorf("id is empty: an id has 1 to %d bytes", MaxIDBytes)
	case len(it.ID) > MaxIDBytes:
		return fmt.Errorf("id %.40q... has %d bytes: at most %d are allowed", it.ID, len(it.ID), MaxIDBytes)
	case !utf8.ValidString(it.ID):
		return fmt.Errorf("id %.40q is not UTF-8", it.ID)
	case len(it.Payload) > MaxPayloadBytes:
		return fmt.Errorf("payload of item %.40q has %d bytes: at most %d (1 MiB) are allowed", it.ID, len(it.Payload), MaxPayloadBytes)
	case it.Priority < 0 || it.Priority > MaxPriority:
		return fmt.Errorf("priority %d of item %.40q is out of range: 1 to %d, or 0 for the default of %d", it.Priority, it.ID, MaxPriority, DefaultPriority)
	case it.Delay < 0:
		return fmt.Errorf("delay %s of item %.40q is negative", it.Delay, it.ID)
	}
	if it.Batch != "" {
		if err := ValidateName("batch", it.Batch); err != nil {
			return err
		}
	}
	return nil
}

// ValidateName tells what is wrong with the name of a queue or a batch: 1 to
// MaxNameBytes of lower-case letters, digits, '-', '.' and '_', as Kubernetes
// names are, so that the same name serves everywhere.
func ValidateName(field, name string) error {
	if name == "" || len(name) > MaxNameBytes {
		return fmt.Errorf("%s name %.40q has %d bytes: 1 to %d are allowed", field, name, len(name), MaxNameBytes)
	}
	for i, c := range []byte(name) {
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '-' && c != '.' && c != '_') {
			return fmt.Errorf("%s name %.40q: lower-case letters, digits, '-', '.' and '_' are allowed, a letter or digit first", field, name)
		}
	}
	return nil
}

// MaxWorkerBytes bounds the id of a worker.
const MaxWorkerBytes = 253

// ValidateWorker tells what is wrong with a worker's id: 1 to MaxWorkerBytes of
// printable ASCII without spaces, ':', quotes and backslashes, so that every
// store can make it part of a key and every log line keeps it whole. The names
// of hosts and pods are such ids.
func ValidateWorker(id string) error {
	bad := func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("\"'`:\\", c) }
	if id == "" || len(id) > MaxWorkerBytes || strings.ContainsFunc(id, bad) {
		return fmt.Errorf("worker id %.60q has %d bytes: 1 to %d are allowed, of printable ASCII without spaces, ':', quotes and backslashes", id, len(id), MaxWorkerBytes)
	}
	return nil
}

// Outcome is what became of one enqueued item.
type Outcome uint8

// The outcomes of an enqueue.
const (
	Added       Outcome = iota + 1 // new, and in the queue now
	Duplicate                      // known by this id and with this payload: nothing changed
	Conflict                       // known by this id with another payload: refused
	OutputTaken                    // another kept item publishes the same Output: refused
	BatchClosed                    // its batch is sealed, cancelled or past its deadline: refused
)

func (o Outcome) String() string {
	switch o {
	case Added:
		return "added"
	case Duplicate:
		return "duplicate"
	case Conflict:
		return "conflict"
	case OutputTaken:
		return "output taken"
	case BatchClosed:
		return "batch closed"
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// State is where an item stands.
type State string

// The states of an item.
const (
	Blocked   State = "blocked"
	Delayed   State = "delayed"
	Ready     State = "ready"
	Leased    State = "leased"
	Done      State = "done"
	Dead      State = "dead"
	Cancelled State = "cancelled"
)

// States lists every state in the order of an item's life.
var States = []State{Blocked, Delayed, Ready, Leased, Done, Dead, Cancelled}
