package natsqueue

import (
	"encoding/json"
	"fmt"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
	"sluice.dev/queue/natsqueue/machine"
)

// answer answers a question: with what the machine decides, when that is
// stored.
func (l *leader) answer(to string, id uint64, verb byte, text []byte) {
	r := bin.NewReader(text)
	var reply []byte
	var err error
	switch verb {
	case askEnqueue:
		var outcomes []queue.Outcome
		entries := readEntries(r)
		if err = r.End(); err == nil {
			outcomes, err = l.m.Enqueue(id, entries)
		}
		for _, o := range outcomes {
			reply = append(reply, byte(o))
		}
		l.strict = true
	case askExchange:
		x := readExchange(r)
		if err = r.End(); err == nil {
			var p queue.Reply
			if p, err = l.m.Exchange(x); err == nil {
				reply = writeReply(p)
			}
		}
		if x.Claim > 0 {
			l.waiters.claimed()
		}
		l.strict = true
	case askExtend:
		leases := make([]queue.Lease, r.Count())
		for i := range leases {
			leases[i] = readHandle(r)
		}
		if err = r.End(); err == nil {
			var w bin.Writer
			writeHeld(&w, l.m.Extend(leases))
			reply = w.B
		}
		l.strict = true
	case askCommit:
		lease, record := readHandle(r), r.Bytes()
		if err = r.End(); err == nil {
			err = l.m.Commit(lease, record)
		}
		l.strict = true
	case askWait:
		w := waiter{id: r.Uint(), to: to}
		if r.More() { // clients of before do not say it
			w.worker = r.String()
		}
		if l.m.Gone(w.worker) {
			l.send(out{to: to, status: answered})
			return
		}
		l.waiters.park(w)
		l.send(out{to: to, status: parked})
		return
	case askUnwait:
		l.waiters.unpark(r.Uint())
		return
	case askProof:
		l.proven = -proofFor // long past
		return
	default:
		reply, err = l.control(id, verb, text)
	}
	o := out{to: to, status: answered, text: reply}
	if err != nil {
		o = out{to: to, status: refused, text: encode(refusalOf(err))}
	}
	o.id, o.once = id, verb == askEnqueue || verb == askLeave
	l.pending[id] = struct{}{}
	l.outs = append(l.outs, o)
}

// control answers what is asked now and then.
func (l *leader) control(id uint64, verb byte, text []byte) ([]byte, error) {
	var c control
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("the question: %w", err)
	}
	var o outcome
	if verb == askPolicy && c.Policy == (queue.Policy{}) { // states nothing: workers read it at each renewal
		var err error
		o.Policy, err = l.m.SetPolicy(c.Policy, false)
		return encode(o), err
	}
	switch verb {
	case askDepth:
		o.Depth = l.m.Depth()
	case askItems:
		if c.Cursor == nil {
			c.Cursor = &machine.Cursor{}
		}
		o.Records, o.Cursor = l.m.Items(c.Query, *c.Cursor)
	case askBatches:
		o.Batches = l.m.Batches()
	case askWorkers:
		o.Workers = l.m.Workers()
	default:
		l.strict = true
		return l.changeOnce(id, verb, &c)
	}
	return encode(o), nil
}

// changeOnce changes the queue, whichever leader is asked and however often. The
// answer is stored with what was decided, refusals too: what was refused must
// not be done when its client has gone on. A worker that may not leave asks
// again in any case, and often.
func (l *leader) changeOnce(id uint64, verb byte, c *control) ([]byte, error) {
	if text, again := l.m.Answered(id); again {
		var o outcome
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, fmt.Errorf("the answer that was kept: %w", err)
		}
		return text, o.Refused.err()
	}
	var o outcome
	err := l.change(verb, c, &o)
	if err != nil {
		o = outcome{Refused: refusalOf(err)}
	}
	text := encode(o)
	if verb != askLeave || o.Yes {
		l.m.Answer(id, text)
	}
	return text, err
}

func (l *leader) change(verb byte, c *control, o *outcome) (err error) {
	switch verb {
	case askLeave:
		if o.Yes = l.m.Leave(c.Name, c.Idle); o.Yes {
			l.waiters.letGo(l, c.Name)
		}
	case askExpire:
		o.Count = l.m.Expire(c.Name, c.Failure)
	case askPolicy:
		o.Policy, err = l.m.SetPolicy(c.Policy, c.Yes)
	case askSeal:
		l.m.Seal(c.Name)
	case askOpen:
		err = l.m.OpenBatch(c.Batch)
	case askBatch:
		err = l.m.ChangeBatch(c.Name, queue.BatchVerb(c.Verb))
	case askChange:
		for _, err := range l.m.ChangeItems(queue.ItemVerb(c.Verb), c.IDs) {
			o.Errors = append(o.Errors, refusalOf(err))
		}
	case askPause:
		l.m.Pause(c.Yes)
	default:
		err = fmt.Errorf("the leader does not know question %d: it is of an older sluice", verb)
	}
	return err
}
