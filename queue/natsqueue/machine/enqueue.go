package machine

import (
	"crypto/sha256"
	"encoding/binary"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/internal/bin"
)

// Digest tells items of one id apart: 96 bits of SHA-256 of what they say and
// where they publish.
type Digest [12]byte

// DigestOf is an item's digest.
func DigestOf(it queue.Item) (d Digest) {
	h := sha256.New()
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(it.Output)))
	h.Write(n[:])
	h.Write([]byte(it.Output))
	h.Write(it.Payload)
	copy(d[:], h.Sum(nil))
	return d
}

// Entry is an item to be added.
type Entry struct {
	queue.Item
	Digest Digest // of Item
}

// Enqueue adds items and tells what became of each. The call is a number that
// nobody else uses: what it added before, because its answer was lost, is added
// and no duplicate. ErrFull refuses them all.
func (m *Machine) Enqueue(call uint64, entries []Entry) ([]queue.Outcome, error) {
	size := m.bytes
	for _, e := range entries {
		size += int64(len(e.Payload) + len(e.Output))
	}
	if size > m.limit {
		return nil, ErrFull
	}
	outcomes := make([]queue.Outcome, len(entries))
	var added []int
	ids, outputs := map[string]Digest{}, map[string]bool{} // of this call
	for i, e := range entries {
		switch digest, again := ids[e.ID]; {
		case again && digest == e.Digest:
			outcomes[i] = queue.Duplicate
		case again:
			outcomes[i] = queue.Conflict
		default:
			outcomes[i] = m.outcome(call, e, outputs)
			if outcomes[i] != queue.Added {
				continue
			}
			ids[e.ID] = e.Digest
			if m.known(e.ID) == nil {
				added = append(added, i)
				outputs[e.Output] = true
			}
		}
	}
	if len(added) > 0 {
		m.decide(func(w *bin.Writer) { m.writeAdd(w, call, entries, added) })
	}
	return outcomes, nil
}

// outcome is what becomes of an item, given the outputs of the same call.
func (m *Machine) outcome(call uint64, e Entry, outputs map[string]bool) queue.Outcome {
	if it := m.known(e.ID); it != nil {
		switch {
		case it.digest != e.Digest:
			return queue.Conflict
		case it.call == call:
			return queue.Added
		}
		return queue.Duplicate
	}
	if e.Output != "" {
		owner := m.outputs[e.Output]
		if outputs[e.Output] || owner != nil && !owner.of.deleted {
			return queue.OutputTaken
		}
	}
	if b := m.ensure(e.Batch); b.sealed || b.void {
		return queue.BatchClosed
	}
	return queue.Added
}

func (m *Machine) writeAdd(w *bin.Writer, call uint64, entries []Entry, added []int) {
	w.Byte(factAdd)
	w.Fixed(call)
	w.Uint(uint64(len(added)))
	for _, i := range added {
		e := &entries[i]
		priority := e.Priority
		if priority == 0 {
			priority = queue.DefaultPriority
		}
		w.String(e.ID)
		w.Uint(m.names[e.Batch].serial)
		w.Byte(byte(priority))
		w.B = append(w.B, e.Digest[:]...)
		w.Uint(uint64(micros(e.Delay)))
		w.String(e.Output)
		w.Bytes(e.Payload)
	}
}
