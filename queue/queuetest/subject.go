package queuetest

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"sluice.dev/queue"
)

// Durations of the suite. What is short passes while a test waits; what is
// long never passes in a test, however slow the machine.
const (
	shortest = time.Millisecond
	short    = 100 * time.Millisecond
	minute   = time.Minute
	long     = time.Hour

	// soon is how late a worker may be woken. It should be milliseconds; a
	// busy machine gets more, and who sleeps through is found.
	soon     = 3 * time.Second
	patience = 5 * time.Second  // for what must come
	bound    = 30 * time.Second // of a sentence
)

// subject is a driver under test on a queue of its own, and the words in which
// sentences are written. A word that fails ends its sentence, so all of them
// belong to the goroutine of the sentence.
type subject struct {
	testing.TB
	ctx   context.Context
	h     Harness
	name  string
	d     queue.Driver
	clock clock

	workers map[string]*worker
}

func newSubject(t testing.TB, h Harness) *subject {
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	name := "suite-" + strings.ToLower(rand.Text())
	return &subject{
		TB: t, ctx: ctx, h: h, name: name,
		d:       h.Open(t, name),
		clock:   clock{start: time.Now()},
		workers: map[string]*worker{},
	}
}

// another opens a second client of the same queue.
func (q *subject) another() queue.Driver { return q.h.Open(q.TB, q.name) }

// enqueue adds items and returns what became of each.
func (q *subject) enqueue(items ...queue.Item) []queue.Outcome {
	q.Helper()
	out, err := q.d.Enqueue(q.ctx, items)
	if err != nil {
		q.Fatalf("Enqueue: %v", err)
	}
	if len(out) != len(items) {
		q.Fatalf("Enqueue of %d items gave %d outcomes", len(items), len(out))
	}
	return out
}

// put adds items that the queue does not know.
func (q *subject) put(items ...queue.Item) {
	q.Helper()
	for i, o := range q.enqueue(items...) {
		if o != queue.Added {
			q.Fatalf("enqueue of %q: %s, want added", items[i].ID, o)
		}
	}
}

// putIDs adds items of which only the ids matter.
func (q *subject) putIDs(ids ...string) {
	q.Helper()
	items := make([]queue.Item, len(ids))
	for i, id := range ids {
		items[i] = queue.Item{ID: id}
	}
	q.put(items...)
}

// wantOutcome enqueues one item and wants this outcome.
func (q *subject) wantOutcome(it queue.Item, want queue.Outcome) {
	q.Helper()
	if got := q.enqueue(it)[0]; got != want {
		q.Fatalf("enqueue of %q: %s, want %s", it.ID, got, want)
	}
}

func (q *subject) seal(batch string) {
	q.Helper()
	if err := q.d.Seal(q.ctx, batch); err != nil {
		q.Fatalf("Seal(%q): %v", batch, err)
	}
}

// force sets values of the policy, whatever they were.
func (q *subject) force(p queue.Policy) {
	q.Helper()
	if _, err := q.d.SetPolicy(q.ctx, p, true); err != nil {
		q.Fatalf("SetPolicy(force): %v", err)
	}
}

func (q *subject) depth() queue.Depth {
	q.Helper()
	d, err := q.d.Depth(q.ctx)
	if err != nil {
		q.Fatalf("Depth: %v", err)
	}
	return d
}

// wantDepth wants these counts now, NextDue aside.
func (q *subject) wantDepth(want queue.Depth) {
	q.Helper()
	if got := counts(q.depth()); got != counts(want) {
		q.Fatalf("depth is %+v, want %+v", got, counts(want))
	}
}

// counts is a depth without the one field that time alone changes.
func counts(d queue.Depth) queue.Depth {
	d.NextDue = 0
	return d
}

func (q *subject) items(query queue.Query) []queue.Record {
	q.Helper()
	rs, err := q.d.Items(q.ctx, query)
	if err != nil {
		q.Fatalf("Items(%+v): %v", query, err)
	}
	return rs
}

// record is the one record of an item.
func (q *subject) record(id string) queue.Record {
	q.Helper()
	rs := q.items(queue.Query{ID: id})
	if len(rs) != 1 || rs[0].Item.ID != id {
		q.Fatalf("Items of id %q gave %d records, want the one", id, len(rs))
	}
	return rs[0]
}

// batch is what the queue tells of a batch.
func (q *subject) batch(name string) queue.BatchInfo {
	q.Helper()
	all, err := q.d.Batches(q.ctx)
	if err != nil {
		q.Fatalf("Batches: %v", err)
	}
	for _, b := range all {
		if b.Name == name {
			return b
		}
	}
	q.Fatalf("Batches does not list %q: %+v", name, all)
	return queue.BatchInfo{}
}

func ids(leases []queue.Lease) []string {
	out := make([]string, len(leases))
	for i, l := range leases {
		out[i] = l.Item.ID
	}
	return out
}
