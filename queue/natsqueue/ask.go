package natsqueue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
)

// How a question is repeated. One that reached a leader which just died is
// answered by nobody, so it is soon sent again.
const (
	firstResend = 200 * time.Millisecond
	lastResend  = time.Second
	silence     = 3 * time.Second  // of the leader, after which another is elected
	giveUp      = 30 * time.Second // with no sign of any leader: a cluster may elect its own for long
	giveUpAlone = 10 * time.Second // without a connection
	repark      = 900 * time.Millisecond
)

// ask asks the leader, and repeats the question until one answers: at once
// where the server says that nobody leads, after a silence where nobody says
// anything. In both cases this client stands for election.
func (d *Driver) ask(ctx context.Context, verb byte, body []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.ctx.Err() != nil {
		return nil, errClosed
	}
	t := &try{d: d, id: newID(), verb: verb, body: body, resend: firstResend, heard: time.Now(), before: d.nc.LastError()}
	replies := d.calls.begin(t.id)
	defer d.calls.end(t.id)
	timer := time.NewTimer(t.send())
	defer timer.Stop()
	for {
		var elected <-chan struct{}
		if t.standing != nil {
			elected = t.standing.over
		}
		select {
		case r := <-replies:
			if d.hooks.asked != nil && (r.status == answered || r.status == refused) {
				d.hooks.asked(func() { t.send() })
			}
			switch r.status {
			case answered:
				return r.text, nil
			case refused:
				return nil, readError(r.text)
			case nobody:
				if t.standing == nil {
					t.standing = d.stand(false, looks(t.verb))
				}
			case heard:
				t.heard = time.Now()
			case parked:
				if t.heard = time.Now(); d.hooks.parked != nil {
					d.hooks.parked()
				}
				timer.Reset(repark)
			}
			continue
		case <-elected:
			if err := t.standing.err; errors.Is(err, errNothing) && looks(t.verb) {
				return nil, err
			} else if lasting(err) {
				return nil, explain(err)
			} else if err != nil {
				t.last = err
			}
			t.standing = nil
			timer.Reset(rand.N(t.pause()))
			continue
		case <-timer.C:
		case <-ctx.Done():
			return nil, t.unanswered(ctx.Err())
		case <-d.ctx.Done():
			return nil, errClosed
		}
		if quiet := time.Since(t.heard); quiet > giveUp || quiet > giveUpAlone && !d.nc.IsConnected() {
			return nil, t.unanswered(fmt.Errorf("%w: no leader of queue %s answers", queue.ErrUnavailable, d.o.Queue))
		} else if err := t.denied(quiet); err != nil {
			return nil, err
		} else if quiet > silence && t.standing == nil {
			t.standing = d.stand(true, looks(t.verb))
		}
		timer.Reset(t.send())
	}
}

// newID is a number that nobody else takes.
func newID() uint64 { return rand.Uint64() }

// say tells the leader something, once and without an answer.
func (d *Driver) say(verb byte, body []byte) {
	var w bin.Writer
	w.Fixed(newID())
	w.Byte(verb)
	_ = parts(w.B, body, partOf(d.nc), func(part []byte) error { return d.nc.Publish(d.name.ask, part) })
}

// try is one question, as often as it has to be asked.
type try struct {
	d        *Driver
	id       uint64
	verb     byte
	body     []byte
	heard    time.Time // when there was last a sign of a leader
	resend   time.Duration
	wait     time.Duration // after an election that was lost
	standing *election
	last     error
	before   error // of the connection
}

// denied tells whether the server denies this client's questions: at once if it
// has said so since this one, and when nobody answers for long if it ever has,
// for it says of a subscription only once that it is denied.
func (t *try) denied(quiet time.Duration) error {
	if quiet > silence {
		return t.d.login().denial()
	}
	if err := t.d.nc.LastError(); !errors.Is(err, t.before) { // each denial is an error of its own
		return denial(err, strconv.Quote(t.d.name.ask))
	}
	return nil
}

// send sends the question, and returns when it is to be sent again.
func (t *try) send() time.Duration {
	var w bin.Writer
	w.Fixed(t.id)
	w.Byte(t.verb)
	err := parts(w.B, t.body, partOf(t.d.nc), func(part []byte) error {
		return t.d.nc.PublishRequest(t.d.name.ask, t.d.calls.subject(t.id), part)
	})
	if err != nil {
		t.last = err
	}
	again := t.resend
	t.resend = min(2*t.resend, lastResend)
	return again
}

// pause is the most to wait after an election that brought no leader.
func (t *try) pause() time.Duration {
	t.wait = min(max(2*t.wait, 5*time.Millisecond), firstResend)
	return t.wait
}

// unanswered is an error with what is known of its cause.
func (t *try) unanswered(err error) error {
	if t.d.nc.IsClosed() {
		return nats.ErrConnectionClosed
	}
	if t.last == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", err, t.last)
}
