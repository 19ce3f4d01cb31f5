package natsqueue

import (
	"github.com/nats-io/nats.go"

	"sluice.dev/queue/natsqueue/internal/bin"
)

// A server takes no message above its max_payload. What may be longer goes in
// parts, each with its number and whether there are more.
const (
	mostPart  = 256 << 10
	leastPart = 1 << 10
	overhead  = 512 // of a message around its part
)

// partOf is how much a part may have.
func partOf(nc *nats.Conn) int {
	return max(min(mostPart, int(nc.MaxPayload())-overhead), leastPart)
}

// parts sends a text to whom send sends, in parts of at most size bytes behind
// a header.
func parts(header, text []byte, size int, send func([]byte) error) error {
	for n := 0; ; n++ {
		part := text[:min(size, len(text))]
		text = text[len(part):]
		w := bin.Writer{B: make([]byte, 0, len(header)+len(part)+8)}
		w.B = append(w.B, header...)
		w.Uint(uint64(n))
		w.Bool(len(text) > 0)
		w.B = append(w.B, part...)
		if err := send(w.B); err != nil {
			return err
		}
		if len(text) == 0 {
			return nil
		}
	}
}

// gather joins parts that come in order. A first part begins anew.
type gather struct {
	next uint64
	text []byte
}

// add takes a part, from behind its header, and tells whether it was the last
// one.
func (g *gather) add(r *bin.Reader) (text []byte, whole bool) {
	n, more := r.Uint(), r.Bool()
	if r.Err() != nil {
		return nil, false
	}
	if n == 0 {
		*g = gather{}
		if !more {
			return r.Rest(), true
		}
	}
	if n != g.next {
		return nil, false
	}
	g.next++
	g.text = append(g.text, r.Rest()...)
	return g.text, !more
}
