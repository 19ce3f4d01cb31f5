package natsqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/queue"
)

// errForeign is a stream that would lose what a queue's log must keep, or that
// is not a queue's log at all. It does not pass by itself.
var errForeign = errors.New("stream cannot hold a queue")

// checkStream looks whether JetStream is there and whether the queue's stream,
// if there is one, keeps what it is given. Servers that have just started get
// the time to elect their leader.
func (d *Driver) checkStream(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, giveUp)
	defer cancel()
	_, err := d.stream(ctx)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return d.explain(err)
}

// explain is explain, of an error that may be the silence of a server which
// forbids the question.
func (d *Driver) explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		if no := d.login().denial(); no != nil {
			return no
		}
	}
	return explain(quiet(d.nc, err))
}

// stream is the queue's stream with what the server says of it now.
func (d *Driver) stream(ctx context.Context) (jetstream.Stream, error) {
	s, err := patiently(ctx, d.login(), func(ctx context.Context) (jetstream.Stream, error) { return d.js.Stream(ctx, d.name.stream) })
	if err != nil {
		return nil, err
	}
	return s, d.suits(s.CachedInfo().Config)
}

// create makes the queue's stream.
func (d *Driver) create(ctx context.Context) (jetstream.Stream, error) {
	c := jetstream.StreamConfig{
		Name:        d.name.stream,
		Description: "the log of sluice's queue " + d.o.Queue,
		Subjects:    []string{d.name.log + "*"},
		Storage:     jetstream.FileStorage,
		Replicas:    max(d.o.Replicas, 1),
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew, // where an account's limit is met: refuse, forget nothing
		// No queue of this name begins where another has been: a leader that
		// was stopped before a drop finds its sequence numbers long past.
		FirstSeq: uint64(time.Now().UnixMicro()),
	}
	s, err := patiently(ctx, d.login(), func(ctx context.Context) (jetstream.Stream, error) { return d.js.CreateStream(ctx, c) })
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return d.stream(ctx) // another client was faster
	}
	return s, err
}

// suits tells whether a stream can be the queue's log.
func (d *Driver) suits(c jetstream.StreamConfig) error {
	not := func(format string, args ...any) error {
		return fmt.Errorf("stream %s: %w: %s", d.name.stream, errForeign, fmt.Sprintf(format, args...))
	}
	switch {
	case len(c.Subjects) != 1 || c.Subjects[0] != d.name.log+"*":
		return not("it is not one of sluice's, whose only subject is %s*, but has %q", d.name.log, c.Subjects)
	case c.Storage != jetstream.FileStorage:
		return not("its storage is memory, which a restart of the server empties: file is allowed")
	case c.Retention != jetstream.LimitsPolicy:
		return not("its retention is %s: limits is allowed", c.Retention)
	case c.MaxMsgs > 0 || c.MaxBytes > 0 && c.Discard != jetstream.DiscardNew || c.MaxAge > 0 || c.MaxMsgsPerSubject > 0:
		return not("its limits make it forget (max_msgs %d, max_bytes %d, max_age %s, max_msgs_per_subject %d): none are allowed, but for max_bytes with discard new",
			c.MaxMsgs, c.MaxBytes, c.MaxAge, c.MaxMsgsPerSubject)
	case c.MaxMsgSize > 0 && c.MaxMsgSize < leastPart*2:
		return not("its max_msg_size is %d: at least %d is allowed", c.MaxMsgSize, leastPart*2)
	case c.Sealed || c.DenyPurge || c.DenyDelete || c.NoAck:
		return not("it is sealed, denies purge or delete, or acknowledges nothing")
	case d.o.Replicas > 0 && c.Replicas != d.o.Replicas:
		return not("it has %d replicas, and %d were asked for: nats stream edit %s --replicas=%d changes it",
			c.Replicas, d.o.Replicas, d.name.stream, d.o.Replicas)
	}
	return nil
}

// Drop deletes the queue with all that it holds. Its leader notices when it
// writes next, and is told to do so before it answers anything.
func (d *Driver) Drop(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := d.js.DeleteStream(ctx, d.name.stream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return d.explain(err)
	}
	d.say(askProof, nil)
	return explain(d.nc.Publish(d.name.event, nil))
}

// hints say what is wrong with a store, by the number of its error.
var hints = map[jetstream.ErrorCode]string{
	jetstream.JSErrCodeJetStreamNotEnabled:           "JetStream is not enabled on this server: start it with -js, or \"jetstream {}\" in its configuration",
	jetstream.JSErrCodeJetStreamNotEnabledForAccount: "JetStream is not enabled for this account",
	10074:       "more replicas were asked for than a server that stands alone has: 1 is allowed there",
	errNoLeader: "its cluster has no leader: more than half of its servers must run and reach each other",
	errNoPeers:  "the cluster has no room for this stream: fewer replicas than it has servers are allowed, and storage must be left",
	10023:       "the server has no storage left for this queue",
	10047:       "the server or this account has no storage left for this queue",
	10077:       "the queue's stream takes nothing more: its max_bytes or the disk is full",
	10002:       "this account's limits of JetStream are reached",
	10026:       "this account's limit of consumers is reached",
	10027:       "this account's limit of streams is reached",
	10065:       "another stream has this queue's subjects",
}

// lasting tells whether an error of the store does not pass by itself.
func lasting(err error) bool {
	if errors.Is(err, errForeign) || errors.Is(err, errUnreadable) || errors.Is(err, nats.ErrPermissionViolation) {
		return true
	}
	if e, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch e.ErrorCode {
		case jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount,
			10074, errNoPeers, 10023, 10047, 10077, 10002, 10027, 10065:
			return true
		}
	}
	return false
}

// explain wraps an error of the client or the store for the queue's callers.
func explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if e, ok := errors.AsType[*jetstream.APIError](err); ok {
		if hint := hints[e.ErrorCode]; hint != "" {
			err = fmt.Errorf("%s: %w", hint, err)
		}
	}
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) {
		err = fmt.Errorf("JetStream does not answer: it is not enabled, or has no leader: %w", err)
	}
	if lasting(err) || errors.Is(err, nats.ErrConnectionClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
}
