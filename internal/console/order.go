package console

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// Order is a Sink that passes the output of items on in the order in which
// they were expected. That of the first item which is not over goes through as
// it comes; that of the others waits in a file, so that the memory that it
// takes depends on the number of items alone. Items that were not expected go
// through.
type Order struct {
	to Sink

	mu     sync.Mutex
	file   *os.File
	size   int64
	places map[string]*place
	line   []*place // first come, first shown
	err    error    // of the file, the first
}

// place is an item that is expected.
type place struct {
	id     string
	over   bool
	groups []*stored
}

// stored is a group that waits.
type stored struct {
	head  span
	parts []span
	whole bool
}

// span is a piece of the file.
type span struct {
	stream Stream
	at     int64
	n      int
}

// NewOrder passes output on to a sink. Its file is in dir, without a name; ""
// is the system's folder for such files.
func NewOrder(to Sink, dir string) (*Order, error) {
	f, err := os.CreateTemp(dir, ".sluice-order-")
	if err != nil {
		return nil, fmt.Errorf("keep the order: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("keep the order: %w", err)
	}
	return &Order{to: to, file: f, places: make(map[string]*place)}, nil
}

// Expect says which items come next. One that is expected already is passed
// over.
func (o *Order) Expect(ids ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		if o.places[id] == nil {
			p := &place{id: id}
			o.places[id] = p
			o.line = append(o.line, p)
		}
	}
}

// Over says that nothing more comes of an item, and shows what waited for
// that.
func (o *Order) Over(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.places[id]; p != nil {
		p.over = true
		o.advance()
	}
}

// First is the item that the others wait for, "" if there is none, and how
// many are expected.
func (o *Order) First() (id string, waiting int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.line) > 0 {
		id = o.line[0].id
	}
	return id, len(o.line)
}

// Close shows what still waits, in its order, and gives the file back.
func (o *Order) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.line {
		p.over = true
	}
	o.advance()
	if err := o.file.Close(); o.err == nil {
		o.err = err
	}
	if o.err != nil {
		return fmt.Errorf("keep the order: %w", o.err)
	}
	return nil
}

// advance shows the items at the head of the line that are over, and what the
// first after them has written so far. The lock is held.
func (o *Order) advance() {
	for len(o.line) > 0 {
		p := o.line[0]
		for _, g := range p.groups {
			o.show(g)
		}
		p.groups = nil
		if !p.over {
			return
		}
		delete(o.places, p.id)
		o.line[0] = nil
		o.line = o.line[1:]
	}
	if o.size > 0 && o.err == nil {
		o.size, o.err = 0, o.file.Truncate(0)
	}
}

func (o *Order) show(g *stored) {
	b := make([]byte, g.head.n)
	if !o.read(b, g.head.at) {
		return
	}
	h, err := decodeHead(b)
	if err != nil {
		o.fail(err)
		return
	}
	to := o.to.Item(h)
	b = make([]byte, maxChunk)
	for _, s := range g.parts {
		for at, rest := s.at, s.n; rest > 0; {
			n := min(rest, len(b))
			if !o.read(b[:n], at) {
				break
			}
			to.Write(s.stream, b[:n])
			at, rest = at+int64(n), rest-n
		}
	}
	to.End(g.whole)
}

func (o *Order) read(b []byte, at int64) bool {
	if _, err := o.file.ReadAt(b, at); err != nil {
		o.fail(err)
		return false
	}
	return true
}

// store appends to the file. The lock is held.
func (o *Order) store(s Stream, p []byte) span {
	w := io.NewOffsetWriter(o.file, o.size)
	n, err := w.Write(p)
	o.fail(err)
	at := o.size
	o.size += int64(n)
	return span{s, at, n}
}

func (o *Order) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// Event passes an event on.
func (o *Order) Event(e Event) { o.to.Event(e) }

// Item opens a group: on the sink if it is this item's turn, else in the file.
func (o *Order) Item(h ItemHead) Group {
	o.mu.Lock()
	p := o.places[h.ID]
	if p == nil || p == o.line[0] {
		o.mu.Unlock()
		return o.to.Item(h)
	}
	defer o.mu.Unlock()
	head, err := encodeHead(h)
	o.fail(err)
	g := &stored{head: o.store(0, head)}
	return &waiting{o: o, p: p, g: g}
}

// waiting is a group that is being stored.
type waiting struct {
	o *Order
	p *place
	g *stored
}

func (w *waiting) Write(s Stream, p []byte) {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	w.g.parts = append(w.g.parts, w.o.store(s, p))
}

// End puts the group in its place. If its item's turn has come meanwhile it is
// shown at once.
func (w *waiting) End(whole bool) {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	w.g.whole = whole
	w.p.groups = append(w.p.groups, w.g)
	if len(w.o.line) > 0 && w.o.line[0] == w.p {
		w.o.advance()
	}
}
