package natsqueue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/queue/natsqueue/internal/bin"
	"sluice.dev/queue/natsqueue/machine"
)

// errUnreadable is a log that this version cannot read. Who finds it does not
// stand again: another client may have the version that can.
var errUnreadable = errors.New("the queue's log cannot be read")

// readAhead is how much of the log may be on its way. A server hangs up on a
// client for which it holds more than its max_pending, 64 MB as a rule.
const readAhead = 16 << 20

// loader reads a log into a machine.
type loader struct {
	m     *machine.Machine
	epoch uint64
	valid uint64 // sequence number of the last record that counts
	from  uint64 // where the snapshot begins; 0 without one
	whole bool   // the snapshot was read to its end
	parts gather
	held  [][]byte // facts from after the snapshot's beginning and before its end
	bytes int      // of facts since the snapshot
	size  int      // of the snapshot
}

// load reads the newest whole snapshot and what was decided after it, up to a
// sequence number.
func (l *leader) load(ctx context.Context, upto uint64) error {
	from, items, err := l.lastMark(ctx)
	if err != nil {
		return err
	}
	// A damaged number asks for no more room than the log can fill.
	l.m.Expect(int(min(items, l.stream.CachedInfo().State.Bytes/leastItem)))
	r := &loader{m: l.m, from: from, whole: from == 0}
	c, err := l.consumer(ctx, max(from, 1))
	if err != nil {
		return err
	}
	defer l.dismiss(c)
	it, err := c.Messages(jetstream.PullMaxMessages(readAhead / mostPart))
	if err != nil {
		return err
	}
	defer it.Stop()
	stop := context.AfterFunc(ctx, it.Stop)
	defer stop()
	for seq := uint64(0); seq < upto; {
		m, err := it.Next(jetstream.NextMaxWait(patience))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if seq = meta.Sequence.Stream; seq > upto {
			return errors.New("the election is not in its log")
		}
		if err := r.read(seq, strings.TrimPrefix(m.Subject(), l.d.name.log), m.Data()); err != nil {
			return fmt.Errorf("%w: record %d: %w", errUnreadable, seq, err)
		}
	}
	if !r.whole {
		return fmt.Errorf("snapshot from record %d has no end", from)
	}
	l.logged, l.snapshot.size = r.bytes, r.size
	return nil
}

// consumer makes one that begins at a record. The cluster's leader must be asked,
// who may have died with the stream's. One that was made and not told of goes by
// itself.
func (l *leader) consumer(ctx context.Context, from uint64) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	return patiently(ctx, l.d.login(), func(ctx context.Context) (jetstream.Consumer, error) {
		return l.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, InactiveThreshold: patience,
		})
	})
}

// dismiss deletes a consumer. An abandoned one counts until it has been
// inactive for long.
func (l *leader) dismiss(c jetstream.Consumer) {
	info := c.CachedInfo()
	if info == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.stream.DeleteConsumer(ctx, info.Name) // or it goes by itself
}

// leastItem is how many bytes of a log an item takes at the least.
const leastItem = 32

// lastMark is where the newest whole snapshot begins, 0 if there is none, and
// about how many items it has. A mark is written when all before it is stored,
// and alone: one that stands in the log is true.
func (l *leader) lastMark(ctx context.Context) (from, items uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := patiently(ctx, l.d.login(), func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return l.stream.GetLastMsgForSubject(ctx, l.d.name.log+kindMark)
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, 0, nil
	} else if err != nil {
		return 0, 0, err
	}
	r := bin.NewReader(m.Data)
	if f := r.Byte(); f != logFormat {
		return 0, 0, errFormat(m.Sequence, f)
	}
	r.Uint()
	from = r.Uint()
	if r.Err() != nil || from == 0 || from >= m.Sequence {
		return 0, 0, fmt.Errorf("mark %d is damaged", m.Sequence)
	}
	if text, _ := new(gather).add(r); len(text) > 0 { // those of earlier versions do not say
		items = bin.NewReader(text).Uint()
	}
	return from, items, nil
}

// read reads a record. It counts only if its epoch is the current one and
// nothing stands between it and the last one that counts.
func (r *loader) read(seq uint64, kind string, data []byte) error {
	b := bin.NewReader(data)
	if f := b.Byte(); f != logFormat {
		return errFormat(seq, f)
	}
	epoch := b.Uint()
	if kind == kindLead {
		r.epoch, r.valid, r.parts = epoch, seq, gather{}
		return b.Err()
	}
	if seq == r.from {
		r.epoch, r.valid = epoch, seq-1
	}
	if epoch != r.epoch || seq != r.valid+1 {
		return nil
	}
	r.valid = seq
	switch kind {
	case kindFacts:
		r.bytes += len(data)
		text, whole := r.parts.add(b)
		if !whole || b.Err() != nil {
			return b.Err()
		}
		if !r.whole {
			r.held = append(r.held, text)
			return nil
		}
		return r.m.Replay(text)
	case kindChunk:
		if b.Uint() != r.from || r.whole {
			return nil // of a snapshot that was never finished
		}
		r.size += len(data)
		if text, whole := r.parts.add(b); whole {
			return r.m.Replay(text)
		}
	case kindMark:
		if b.Uint() != r.from || r.whole {
			return nil
		}
		r.whole = true
		for _, text := range r.held {
			if err := r.m.Replay(text); err != nil {
				return err
			}
		}
		r.held = nil
	default:
		return fmt.Errorf("%q is no kind of record", kind)
	}
	return b.Err()
}
