package natsqueue

import (
	"time"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
	"sluice.dev/queue/natsqueue/machine"
)

// What a client may ask. The first ones are asked all the time and are written
// tersely; the others carry a control in JSON.
const (
	askEnqueue = iota + 1
	askExchange
	askExtend
	askCommit
	askWait
	askUnwait
	askLeave
	askDepth
	askItems
	askBatches
	askWorkers
	askExpire
	askPolicy
	askSeal
	askOpen
	askBatch
	askChange
	askPause
	askProof // that the leader leads; answered by what is asked next
)

// looks tells whether a question changes nothing, whatever it asks.
func looks(verb byte) bool {
	switch verb {
	case askDepth, askItems, askBatches, askWorkers:
		return true
	}
	return false
}

func writeEntries(items []queue.Item) []byte {
	var w bin.Writer
	w.Uint(uint64(len(items)))
	for _, it := range items {
		w.String(it.ID)
		w.Bytes(it.Payload)
		w.Uint(uint64(it.Priority))
		w.Uint(uint64(it.Delay))
		w.String(it.Batch)
		w.String(it.Output)
		d := machine.DigestOf(it)
		w.B = append(w.B, d[:]...)
	}
	return w.B
}

func readEntries(r *bin.Reader) []machine.Entry {
	entries := make([]machine.Entry, r.Count())
	for i := range entries {
		e := &entries[i]
		e.Item = queue.Item{ID: r.String(), Payload: r.Bytes(), Priority: int(r.Uint()), Delay: time.Duration(r.Uint()), Batch: r.String(), Output: r.String()}
		r.Fill(e.Digest[:])
	}
	return entries
}

func writeExchange(x queue.Exchange) []byte {
	var w bin.Writer
	w.String(x.Worker)
	w.Uint(x.Seq)
	w.Uint(uint64(max(x.Claim, 0)))
	w.Uint(uint64(len(x.Settle)))
	for _, s := range x.Settle {
		writeHandle(&w, s.Lease)
		w.Byte(byte(s.Verb))
		switch s.Verb {
		case queue.Ack:
			w.Bytes(s.Result)
		default:
			w.String(string(s.Failure.Cause))
			w.String(s.Failure.Message)
			w.Int(int64(s.Failure.ExitCode))
			w.String(s.Failure.Stderr[max(0, len(s.Failure.Stderr)-queue.MaxStderrBytes):])
			w.Uint(uint64(max(s.After, 0)))
			w.Bool(s.Backoff)
			w.Bool(s.Unstarted)
		}
	}
	return w.B
}

func readExchange(r *bin.Reader) queue.Exchange {
	x := queue.Exchange{Worker: r.String(), Seq: r.Uint(), Claim: int(r.Uint())}
	x.Settle = make([]queue.Settlement, r.Count())
	for i := range x.Settle {
		s := &x.Settle[i]
		s.Lease, s.Verb = readHandle(r), queue.Verb(r.Byte())
		switch s.Verb {
		case queue.Ack:
			s.Result = r.Bytes()
		default:
			s.Failure = queue.Failure{Cause: queue.Cause(r.String()), Message: r.String(), ExitCode: int(r.Int()), Stderr: r.String()}
			s.After, s.Backoff, s.Unstarted = time.Duration(r.Uint()), r.Bool(), r.Bool()
		}
	}
	return x
}

// A handle is what of a lease names it.
func writeHandle(w *bin.Writer, l queue.Lease) {
	w.String(l.Item.ID)
	w.Uint(l.Token)
}

func readHandle(r *bin.Reader) queue.Lease {
	return queue.Lease{Item: queue.Item{ID: r.String()}, Token: r.Uint()}
}

func writeReply(p queue.Reply) []byte {
	var w bin.Writer
	writeHeld(&w, p.Settled)
	w.Uint(uint64(p.Next))
	w.Bool(p.Gone)
	w.Uint(uint64(len(p.Leases)))
	for _, l := range p.Leases {
		writeHandle(&w, l)
		w.Bytes(l.Item.Payload)
		w.Uint(uint64(l.Item.Priority))
		w.String(l.Item.Batch)
		w.String(l.Item.Output)
		w.Uint(uint64(l.Attempt))
		w.Uint(ttlAgain(l.TTL, l.Again))
		w.Bytes(l.Committed)
	}
	return w.B
}

// ttlAgain has Lease.Again in a TTL's last nanosecond, where those who do not know
// of it read a TTL still.
func ttlAgain(ttl time.Duration, again bool) uint64 {
	v := uint64(ttl) &^ 1
	if again {
		v |= 1
	}
	return v
}

func readReply(b []byte) (queue.Reply, error) {
	r := bin.NewReader(b)
	p := queue.Reply{Settled: readHeld(r), Next: time.Duration(r.Uint()), Gone: r.Bool()}
	p.Leases = make([]queue.Lease, r.Count())
	for i := range p.Leases {
		l := &p.Leases[i]
		*l = readHandle(r)
		l.Item.Payload, l.Item.Priority, l.Item.Batch, l.Item.Output = r.Bytes(), int(r.Uint()), r.String(), r.String()
		l.Attempt = int(r.Uint())
		ttl := r.Uint()
		l.TTL, l.Again, l.Committed = time.Duration(ttl&^1), ttl&1 == 1, r.Bytes()
	}
	return p, r.End()
}

// Of each of several leases: whether it is held.
func writeHeld(w *bin.Writer, errs []error) {
	w.Uint(uint64(len(errs)))
	for _, err := range errs {
		w.Bool(err == nil)
	}
}

func readHeld(r *bin.Reader) []error {
	errs := make([]error, r.Count())
	for i := range errs {
		if !r.Bool() {
			errs[i] = queue.ErrLeaseLost
		}
	}
	return errs
}
