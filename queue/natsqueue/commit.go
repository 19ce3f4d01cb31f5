package natsqueue

import (
	"fmt"
	"time"

	"sluice.dev/internal/boottime"
	"sluice.dev/queue"
)

// commit is what was written together.
type commit struct {
	last    uint64 // its last record
	sent    time.Duration
	outs    []out
	changed bool
}

// out is an answer.
type out struct {
	id     uint64 // of the question
	to     string
	status status
	text   []byte
	once   bool // the question must not be answered anew: see recent
}

// flush writes what was decided. Answers to it leave when it is stored. Those
// that change nothing leave with what is under way; refusals need a write, for
// only that proves that we still lead, and what is merely looked at needs one
// that is not long past.
func (l *leader) flush() bool {
	outs := l.outs
	switch {
	case l.m.Pending() > 0 || l.strict || len(outs) > 0 && len(l.under) == 0 && boottime.Now()-l.proven > proofFor:
		l.outs, l.strict = nil, false
		return l.commit(kindFacts, 0, l.m.Take(), outs)
	case len(outs) == 0:
	case len(l.under) > 0:
		last := l.under[len(l.under)-1]
		last.outs = append(last.outs, outs...)
		l.outs = nil
	default:
		l.outs = nil
		return l.sendAll(outs)
	}
	return true
}

// commit writes to the log.
func (l *leader) commit(kind string, about uint64, text []byte, outs []out) bool {
	if l.d.point("before a commit") {
		return false
	}
	if kind == kindFacts {
		l.logged += len(text)
	}
	if err := l.log.write(kind, about, text); err != nil || l.d.point("written") {
		return false
	}
	l.under = append(l.under, &commit{last: l.log.last, sent: boottime.Now(), outs: outs, changed: l.m.Changed()})
	return true
}

// settle sends the answers of the commits that are stored.
func (l *leader) settle() bool {
	for len(l.under) > 0 && l.under[0].last <= l.log.acked {
		c := l.under[0]
		l.under = l.under[1:]
		l.proven = c.sent
		if l.d.point("stored") || !l.sendAll(c.outs) {
			return false
		}
		if c.changed && l.d.nc.Publish(l.d.name.event, nil) != nil {
			return false
		}
	}
	return true
}

// complain says why nothing more is stored, where that is not another's lead.
// What was decided may be stored or not.
func (l *leader) complain(err error) {
	if !lasting(err) {
		return
	}
	text := encode(refusalOf(fmt.Errorf("%w: %w", queue.ErrUnavailable, explain(err))))
	for _, c := range append(l.under, &commit{outs: l.outs}) {
		for _, o := range c.outs {
			l.send(out{to: o.to, status: refused, text: text})
		}
	}
}

func (l *leader) sendAll(outs []out) bool {
	for _, o := range outs {
		if delete(l.pending, o.id); o.once {
			l.recent.keep(o)
		}
		if !l.send(o) {
			return false
		}
	}
	return true
}

func (l *leader) send(o out) bool {
	if l.d.point("answer") {
		return true // it is lost
	}
	return parts([]byte{byte(o.status)}, o.text, partOf(l.d.nc), func(part []byte) error {
		return l.d.nc.Publish(o.to, part)
	}) == nil
}
