package natsqueue

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/queue/natsqueue/internal/bin"
)

// The kinds of records, which end their subjects. Every one begins with the
// log's format and the epoch of who wrote it: a number that each election draws,
// since a store that lost its last writes gives their sequence numbers again.
const (
	kindLead  = "lead"  // an election, which begins an epoch
	kindFacts = "facts" // what was decided
	kindChunk = "chunk" // where its snapshot begins, and a part of it
	kindMark  = "mark"  // where a snapshot begins that is whole
)

const logFormat = 1

// log is the writing end of a queue's log. Each record names the sequence
// number that must be the last one before it. That alone does not keep out one
// of several records under way, if a foreign one takes the place of another:
// so what follows a record that was refused never counts, here or when the log
// is read.
type log struct {
	nc    *nats.Conn
	to    string // subjects of records without their kind
	inbox string // of acknowledgements, without the sequence number
	size  int    // of a part
	epoch uint64
	last  uint64 // sequence number of the last record that was sent
	acked uint64 // and of the last one that is stored
}

// begin is after the election of the log's writer, which has a sequence number.
func (g *log) begin(seq uint64) { g.last, g.acked = seq, seq }

// write appends a text of a kind, in as many records as it needs.
func (g *log) write(kind string, about uint64, text []byte) error {
	w := bin.Writer{B: []byte{logFormat}}
	w.Uint(g.epoch)
	if kind != kindFacts {
		w.Uint(about)
	}
	return parts(w.B, text, g.size, func(part []byte) error {
		m := nats.NewMsg(g.to + kind)
		m.Header.Set(nats.ExpectedLastSeqHdr, strconv.FormatUint(g.last, 10))
		g.last++
		m.Reply = g.inbox + strconv.FormatUint(g.last, 10)
		m.Data = part
		return g.nc.PublishMsg(m)
	})
}

var errRefused = errors.New("the log refuses this leader's record")

// stored takes an acknowledgement: they come in order, or another leads.
func (g *log) stored(m *nats.Msg) error {
	var a struct {
		Seq   uint64              `json:"seq"`
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return fmt.Errorf("%w: %s", errRefused, m.Header.Get("Status"))
	}
	if a.Error != nil {
		return a.Error
	}
	if g.acked++; a.Seq != g.acked || m.Subject != g.inbox+strconv.FormatUint(a.Seq, 10) {
		return fmt.Errorf("%w: stored at %d, not at %d", errRefused, a.Seq, g.acked)
	}
	return nil
}
