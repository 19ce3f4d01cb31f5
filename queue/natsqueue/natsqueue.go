// Package natsqueue keeps a queue in NATS JetStream, of nats-server 2.10 or
// later.
//
// JetStream's own leases do not fence: it takes a stale acknowledgement for the
// holder's. So the stream of a queue is not its items but its log. One of the
// queue's clients, whichever is elected, is its leader: it holds the items'
// state in memory (package machine decides), answers what the others ask, and
// appends what it decided before it answers. To be elected is to append to the
// log too, with the sequence number that must be the last one; from then on
// the appends of the leader before it are refused, so that nothing it says
// counts. A client repeats its question until a leader answers, and what was
// decided once is answered the same again.
//
//	PREFIX.QUEUE.log.*   the stream PREFIX=QUEUE: elections, facts, snapshots
//	PREFIX.QUEUE.ask     questions to the leader; the answers go to inboxes
//	PREFIX.QUEUE.event   told of every change, for those who watch
//
// The dots of a queue's name are written '='. No process of its own is needed:
// where nobody leads, the next client that asks something stands for election.
package natsqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/queue"
)

// DefaultPrefix begins the names of a store's streams and subjects.
const DefaultPrefix = "sluice"

const maxPrefix = 64

// Options says which queue to open.
type Options struct {
	Queue    string // 1 to queue.MaxNameBytes bytes, as queue.ValidateName allows
	Prefix   string // letters, digits, '-' and '_', at most 64; "" is DefaultPrefix
	Replicas int    // of the queue's stream, 1 to 5; 0 leaves it as it is, and makes one
}

func (o *Options) check() error {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if err := checkPrefix(o.Prefix); err != nil {
		return err
	}
	if o.Replicas < 0 || o.Replicas > 5 {
		return fmt.Errorf("replicas %d is out of range: 1 to 5", o.Replicas)
	}
	return queue.ValidateName("queue", o.Queue)
}

func checkPrefix(p string) error {
	bad := func(c rune) bool {
		return c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}
	if len(p) > maxPrefix || strings.ContainsFunc(p, bad) {
		return fmt.Errorf("prefix %.80q has %d bytes: 1 to %d are allowed, of letters, digits, '-' and '_'", p, len(p), maxPrefix)
	}
	return nil
}

// Driver is a queue in JetStream.
type Driver struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	name    names
	o       Options
	calls   *calls
	release func() // of what Open made for the driver; may be nil
	hooks   hooks

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	busy   sync.WaitGroup

	mu        sync.Mutex
	standing  *election
	unfit     error  // why this client cannot lead
	seenLead  uint64 // the last election that was seen when nobody answered
	watchOnce sync.Once
	watchErr  error
	events    chan struct{}
	leading   atomic.Pointer[leader]
}

var _ queue.Driver = (*Driver)(nil)

// errClosed answers calls of a driver that is closed.
var errClosed = errors.New("the queue's driver is closed")

// New is a client of a queue, over a connection that stays the caller's: it must
// outlive the driver. Any client may come to lead the queue and then holds the
// state of its items in memory: about 280 bytes and the payload of each, and
// 210 bytes when it is done; machine.MaxPayloadBytes bounds the payloads. The
// stream is made when something is first done to the queue.
//
// New fails if JetStream is not there, or if the queue's stream is not one of
// ours or would forget what is written to it. It waits, to the end of ctx or
// for 30 s, for a cluster that has still to elect its leader.
func New(ctx context.Context, nc *nats.Conn, o Options) (*Driver, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	d := &Driver{nc: nc, js: js, o: o, name: namesOf(o.Prefix, o.Queue), events: make(chan struct{}, 1)}
	if err := d.checkStream(ctx); err != nil {
		return nil, err
	}
	if d.calls, err = listen(nc); err != nil {
		return nil, err
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d, nil
}

// Close gives up the lead, if the driver has it, so that the next client takes
// over at once. Calls under way return an error.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.cancel() // from here on nobody stands
	d.mu.Unlock()
	d.busy.Wait()
	err := d.calls.close()
	if d.release != nil {
		d.release()
	}
	if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrBadSubscription) {
		return nil
	}
	return err
}

// Leads tells whether this client is the queue's leader, as far as it knows.
func (d *Driver) Leads() bool { return d.leading.Load() != nil }

// Queues lists the queues that a store has under a prefix, by name.
func Queues(ctx context.Context, js jetstream.JetStream, prefix string) ([]string, error) {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, giveUp)
	defer cancel()
	out, err := patiently(ctx, login{js.Conn(), prefix + "."}, func(ctx context.Context) ([]string, error) { return list(ctx, js, prefix) })
	if err != nil {
		return nil, explain(quiet(js.Conn(), err))
	}
	slices.Sort(out)
	return out, nil
}

func list(ctx context.Context, js jetstream.JetStream, prefix string) ([]string, error) {
	var out []string
	streams := js.StreamNames(ctx, jetstream.WithStreamListSubject(prefix+".*.log."+kindFacts))
	for stream := range streams.Name() {
		if q, ours := strings.CutPrefix(stream, prefix+"="); ours {
			out = append(out, strings.ReplaceAll(q, "=", "."))
		}
	}
	if err := streams.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
		return nil, err
	}
	return out, nil
}

// names are what a queue's stream and subjects are called.
type names struct {
	stream, root, log, ask, event string
}

func namesOf(prefix, q string) names {
	q = strings.ReplaceAll(q, ".", "=")
	root := prefix + "." + q + "."
	return names{stream: prefix + "=" + q, root: root, log: root + "log.", ask: root + "ask", event: root + "event"}
}

// The store is given this long for what makes up one step. Calls to a server
// that goes down hang as long as they may.
const patience = 5 * time.Second
