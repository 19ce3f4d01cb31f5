package machine

import (
	"maps"
	"slices"
	"time"

	"sluice.dev/queue"
)

// Depth counts the queue's items. It costs the same however many they are.
func (m *Machine) Depth() queue.Depth {
	d := m.held(m.total)
	d.NextDue = -1
	m.prune()
	for _, h := range []heap{m.delayed, m.leased} {
		if len(h) > 0 && (d.NextDue < 0 || m.until(h[0].at) < d.NextDue) {
			d.NextDue = m.until(h[0].at)
		}
	}
	return d
}

// held is a depth as a paused queue has it.
func (m *Machine) held(d queue.Depth) queue.Depth {
	if d.Paused = m.paused; d.Paused {
		d.Held = d.Ready
	}
	return d
}

// Batches lists every batch, oldest first.
func (m *Machine) Batches() []queue.BatchInfo {
	out := make([]queue.BatchInfo, len(m.batches))
	for i, b := range m.batches {
		d := m.held(b.depth())
		d.NextDue = -1
		out[i] = queue.BatchInfo{
			Name: b.name, Sealed: b.sealed, Suspended: b.suspended, Cancelled: b.void, Reason: b.reason, After: b.after,
			Age: time.Duration(m.now-b.made) * time.Microsecond, Depth: d,
		}
		if b.deadline > 0 {
			out[i].Deadline = m.until(b.deadline)
		}
	}
	return out
}

// Workers lists those that spoke to the queue within the last hour or hold a lease,
// by name.
func (m *Machine) Workers() []queue.WorkerInfo {
	leases := m.holders()
	var out []queue.WorkerInfo
	for _, name := range slices.Sorted(maps.Keys(m.workers)) {
		if k := m.workers[name]; !k.dead && (m.now-k.seen <= workerMemory || leases[name] > 0) {
			out = append(out, queue.WorkerInfo{
				ID: name, Leases: leases[name], Gone: k.gone, Seen: time.Duration(m.now-k.seen) * time.Microsecond,
			})
		}
	}
	return out
}

// holders is how many leases each worker has.
func (m *Machine) holders() map[string]int {
	leases := map[string]int{}
	for _, it := range m.leased {
		leases[it.body.worker]++
	}
	return leases
}

// Cursor is where a listing goes on. Its zero value is the beginning.
type Cursor struct {
	State  int    // in queue.States
	Serial uint64 // of the last item that was looked at
	Listed int    // so far
}

// What one step of a listing looks at and returns at the most, so that a long
// one holds up nobody.
const (
	pageLooks   = 20_000
	pageRecords = 500
	pageBytes   = 256 << 10
)

// Items lists some of the records that match, by state and then in the order
// of their enqueue, and where to go on; nil is the end. Between two steps items
// may move: one that does may be listed twice or not at all.
func (m *Machine) Items(q queue.Query, c Cursor) ([]queue.Record, *Cursor) {
	if q.ID != "" {
		if it := m.known(q.ID); it != nil && (q.Batch == "" || it.of.name == q.Batch) {
			return []queue.Record{m.record(it)}, nil
		}
		return nil, nil
	}
	var out []queue.Record
	looks, bytes := 0, int64(0)
	for ; c.State < len(queue.States); c.State, c.Serial = c.State+1, 0 {
		state := queue.States[c.State]
		if q.States == nil && state == queue.Done || q.States != nil && !slices.Contains(q.States, state) || m.none(state) {
			continue
		}
		at, _ := m.items.find(c.Serial + 1)
		for ; at < len(m.items); at++ {
			for _, it := range m.items[at].items {
				if it == nil || it.serial <= c.Serial {
					continue
				}
				if q.Limit > 0 && c.Listed == q.Limit {
					return out, nil
				}
				if looks == pageLooks || len(out) == pageRecords || bytes > pageBytes {
					return out, &c
				}
				looks++
				c.Serial = it.serial
				if it.of.deleted || it.state() != state || q.Batch != "" && it.of.name != q.Batch {
					continue
				}
				out = append(out, m.record(it))
				c.Listed++
				if it.body != nil {
					bytes += it.body.size()
				}
			}
		}
	}
	return out, nil
}

// none tells whether there is nothing to list of a state.
func (m *Machine) none(s queue.State) bool {
	d := &m.total
	return *map[queue.State]*int64{
		queue.Blocked: &d.Blocked, queue.Delayed: &d.Delayed, queue.Ready: &d.Ready, queue.Leased: &d.Leased,
		queue.Done: &d.Done, queue.Dead: &d.Dead, queue.Cancelled: &d.Cancelled,
	}[s] == 0
}

func (m *Machine) record(it *item) queue.Record {
	r := queue.Record{
		Item:  queue.Item{ID: it.id, Priority: int(it.priority), Batch: it.of.name},
		State: it.state(), Attempts: int(it.attempts), Releases: int(it.releases),
	}
	if b := it.body; b != nil {
		r.Item.Payload, r.Item.Output = b.payload, b.output
		r.Failures, r.Result = b.had().failures, b.had().result
	}
	switch r.State {
	case queue.Leased:
		r.Token, r.Worker = it.token, it.body.worker
		r.Due = m.until(it.at)
	case queue.Delayed:
		r.Due = m.until(it.at)
	}
	return r
}
