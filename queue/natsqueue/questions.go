package natsqueue

import (
	"time"

	"github.com/nats-io/nats.go"

	"sluice.dev/internal/boottime"
	"sluice.dev/queue/natsqueue/internal/bin"
)

// asked is a question of which a part is still to come.
type asked struct {
	gather gather
	at     time.Time
}

// drain takes a question and those that have come with it.
func (l *leader) drain(m *nats.Msg) {
	l.m.Now(l.clock.now())
	for n := 1; ; n++ {
		l.take(m)
		if n == drainMax || l.m.Pending() > drainLen {
			return
		}
		select {
		case m = <-l.asks:
		default:
			return
		}
	}
}

// take takes a part of a question, and answers when it is whole.
func (l *leader) take(m *nats.Msg) {
	r := bin.NewReader(m.Data)
	id, verb := r.Fixed(), r.Byte()
	a := l.asked[id]
	if a == nil {
		a = &asked{}
	}
	text, whole := a.gather.add(r)
	if r.Err() != nil || m.Reply == "" && verb != askUnwait && verb != askProof {
		return // nobody's question
	}
	if !whole {
		a.at = time.Now()
		l.asked[id] = a
		return
	}
	delete(l.asked, id)
	if o, again := l.recent.find(id); again {
		o.to = m.Reply
		l.outs = append(l.outs, o)
		return
	}
	if _, again := l.pending[id]; again {
		l.send(out{to: m.Reply, status: heard}) // its answer is on the way
		return
	}
	l.answer(m.Reply, id, verb, text)
}

// recent is the answers that left a short while ago. A question that was sent
// again and comes late gets its answer once more: it must not happen anew, after
// whatever its client has done since. Answers to changes and the numbers of
// exchanges are kept in the log, whoever leads.
type recent struct {
	answers map[uint64]out
	order   []stamp
}

type stamp struct {
	id uint64
	at time.Duration
}

// How long and how many answers are kept.
const (
	recentFor  = 10 * time.Second
	recentMost = 1 << 17
)

func (k *recent) find(id uint64) (out, bool) {
	o, ok := k.answers[id]
	return o, ok
}

func (k *recent) keep(o out) {
	now := boottime.Now()
	for len(k.order) > 0 && (now-k.order[0].at > recentFor || len(k.order) == recentMost) {
		delete(k.answers, k.order[0].id)
		k.order = k.order[1:]
	}
	if k.answers == nil {
		k.answers = map[uint64]out{}
	}
	if _, again := k.answers[o.id]; !again {
		k.answers[o.id], k.order = o, append(k.order, stamp{o.id, now})
	}
}

// forgetParts forgets questions whose rest never came.
func (l *leader) forgetParts() {
	for id, a := range l.asked {
		if time.Since(a.at) > giveUp {
			delete(l.asked, id)
		}
	}
}
