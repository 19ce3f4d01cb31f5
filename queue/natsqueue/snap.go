package natsqueue

import (
	"context"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/queue/natsqueue/internal/bin"
)

// A snapshot is written when the facts since the last one are larger than
// this, and than twice that one.
const snapshotLeast = 8 << 20

// chunkSlack is how much longer than it should be a chunk of whole facts may be
// and still be one record.
const chunkSlack = 4 << 10

// snapshot is one that is being written.
type snapshot struct {
	from    uint64 // sequence number of its first chunk
	size    int    // of the last one
	chunks  [][]byte
	marking bool // all chunks are sent, and nothing else is until the mark is
	marked  bool // the mark is sent
}

// snap writes a chunk of the snapshot, or begins one when it is time. Chunks
// and facts take turns; who reads the log applies the facts after the last
// chunk.
func (l *leader) snap(beside context.Context) bool {
	s := &l.snapshot
	switch {
	case s.marked:
		if len(l.under) == 0 {
			s.marked = false
			if l.d.point("marked") {
				return false
			}
			from := s.from
			l.busy.Go(func() { l.purge(beside, from) })
		}
		return true
	case len(l.under) >= window:
		return true
	case len(s.chunks) == 0 && l.logged > l.d.snapshotAfter(s.size):
		s.from, s.size, l.logged = l.log.last+1, 0, 0
		s.chunks = slices.Collect(l.m.Snapshot(max(l.log.size-chunkSlack, leastPart)))
	case len(s.chunks) == 0:
		return true
	}
	chunk := s.chunks[0]
	s.chunks[0] = nil // what is sent is not kept until the last one is
	s.chunks, s.size = s.chunks[1:], s.size+len(chunk)
	if !l.commit(kindChunk, s.from, chunk, nil) || l.d.point("inside a snapshot") {
		return false
	}
	s.marking = len(s.chunks) == 0
	return true
}

// mark says that the snapshot is whole: when all before it is stored, and
// alone, so that it cannot come to stand behind something that was refused.
func (l *leader) mark() bool {
	s := &l.snapshot
	switch {
	case len(l.under) > 0:
	case s.marked:
		s.marking = false
	default:
		s.marked = true
		var items bin.Writer // for whom it is to make room
		items.Uint(uint64(l.m.Depth().Total()))
		return l.commit(kindMark, s.from, items.B, nil)
	}
	return true
}

// purge deletes what a whole snapshot has made needless. If it fails the next
// one does it.
func (l *leader) purge(ctx context.Context, from uint64) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	_ = l.stream.Purge(ctx, jetstream.WithPurgeSequence(from))
}
