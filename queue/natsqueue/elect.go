package natsqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/queue/natsqueue/internal/bin"
)

// election is a candidacy of this client.
type election struct {
	over chan struct{} // closed when it is decided
	err  error         // why it was not held
}

// errNothing is that there is no queue yet, for one who only looks.
var errNothing = errors.New("there is no such queue")

// stand stands for election, unless this client does or leads already. An
// impatient one does so though there may be a leader, which says nothing; one
// who only looks makes no queue where there is none.
func (d *Driver) stand(impatient, looks bool) *election {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.standing != nil {
		return d.standing
	}
	e := &election{over: make(chan struct{})}
	if d.ctx.Err() != nil || d.unfit != nil || d.leading.Load() != nil {
		e.err = d.unfit
		close(e.over)
		return e
	}
	d.standing = e
	d.busy.Go(func() {
		l, err := d.elect(impatient, looks)
		d.mu.Lock()
		d.standing, e.err = nil, err
		d.leading.Store(l)
		d.mu.Unlock()
		close(e.over)
		if l != nil {
			l.lead(d.ctx)
			d.leading.Store(nil)
		}
	})
	return e
}

// elect appends an election to the log, on top of what stands there now. Of
// several who do one wins: the others' sequence numbers are no longer the last.
// It returns nil to those.
func (d *Driver) elect(impatient, looks bool) (*leader, error) {
	ctx, cancel := context.WithTimeout(d.ctx, patience)
	defer cancel()
	if impatient {
		if newer, err := d.newerLead(ctx); err != nil || newer {
			return nil, err
		}
	}
	s, err := d.stream(ctx)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if looks {
			return nil, errNothing
		}
		s, err = d.create(ctx)
	}
	if err != nil {
		return nil, err
	}
	l, err := newLeader(d, s)
	if err != nil {
		return nil, err
	}
	w := bin.Writer{B: []byte{logFormat}}
	w.Uint(l.log.epoch)
	ctx, cancel = context.WithTimeout(d.ctx, patience)
	defer cancel()
	if d.point("standing") {
		l.leave()
		return nil, nil
	}
	ack, err := heed(ctx, d.login(), func(ctx context.Context) (*jetstream.PubAck, error) {
		return d.js.Publish(ctx, d.name.log+kindLead, w.B,
			jetstream.WithExpectLastSequence(l.log.last), jetstream.WithRetryAttempts(0))
	})
	if err != nil {
		l.leave()
		if wrongSequence(err) {
			return nil, nil
		}
		if errors.Is(err, nats.ErrPermissionViolation) && s.CachedInfo().State.Msgs > 0 {
			return nil, errors.New(err.Error()) // it passes if one leads who may, as one did before
		}
		return nil, err
	}
	l.log.begin(ack.Sequence)
	if d.point("elected") {
		l.leave()
		return nil, nil
	}
	return l, nil
}

// newerLead tells whether another was elected since the last look: that one
// gets its time before it is called silent.
func (d *Driver) newerLead(ctx context.Context) (bool, error) {
	m, err := patiently(ctx, d.login(), func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		s, err := d.js.Stream(ctx, d.name.stream)
		if err != nil {
			return nil, err
		}
		return s.GetLastMsgForSubject(ctx, d.name.log+kindLead)
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	newer := m.Sequence != d.seenLead
	d.seenLead = m.Sequence
	return newer, nil
}

func wrongSequence(err error) bool {
	e, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// errFormat is a log of a version to come.
func errFormat(seq uint64, format byte) error {
	return fmt.Errorf("record %d of the log has format %d, and this sluice knows %d: use the version that wrote it, or a later one", seq, format, logFormat)
}
