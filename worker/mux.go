package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

// Mux is a Handler that leaves each item to the handler of its kind.
//
// An item of a kind that has none is released with a delay, since a newer
// worker may know it; the queue's disruptionLimit ends that. An item without a
// kind is buried: no worker will ever know it.
type Mux struct {
	kind     func(queue.Item) string
	handlers map[string]Handler
}

// NewMux is a Mux that finds the kind of an item by kind, which is "" for an
// item that has none.
func NewMux(kind func(queue.Item) string) *Mux {
	return &Mux{kind: kind, handlers: make(map[string]Handler)}
}

// KindField finds an item's kind in a member of its payload, which is a JSON
// object, or in a field of what the command line enqueued.
func KindField(name string) func(queue.Item) string {
	return func(it queue.Item) string {
		p, err := payload.Decode(it.Payload)
		if err != nil {
			return ""
		}
		return p.Fields[name]
	}
}

// On has h handle the items of a kind. It panics for no kind, no handler, and
// a kind that has one: those are slips in a program. It is not to be called
// while a worker runs.
func (m *Mux) On(kind string, h Handler) {
	switch {
	case kind == "":
		panic("worker: Mux.On without a kind")
	case h == nil:
		panic(fmt.Sprintf("worker: Mux.On of kind %q without a handler", kind))
	case m.handlers[kind] != nil:
		panic(fmt.Sprintf("worker: Mux.On of kind %q, which has a handler", kind))
	}
	m.handlers[kind] = h
}

// Handle implements Handler.
func (m *Mux) Handle(ctx context.Context, a *Attempt) error {
	kind := m.kind(a.Item)
	if h := m.handlers[kind]; h != nil {
		return h.Handle(ctx, a)
	}
	if kind == "" {
		return Permanent(errors.New("the item has no kind"))
	}
	return ReleaseDelayed(fmt.Errorf("no handler for kind %.60q: this worker has %q", kind, slices.Sorted(maps.Keys(m.handlers))))
}

// StoreGrace implements Persistent: it is the shortest of all handlers', and 0
// if one of them is not Persistent.
func (m *Mux) StoreGrace() time.Duration {
	var shortest time.Duration
	first := true
	for _, h := range m.handlers {
		p, ok := h.(Persistent)
		if !ok {
			return 0
		}
		if grace := p.StoreGrace(); first || grace < shortest {
			shortest, first = grace, false
		}
	}
	return shortest
}
