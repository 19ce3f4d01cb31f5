package console

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Stream is one of the two outputs of an item.
type Stream uint8

// The outputs of an item.
const (
	Stdout Stream = iota + 1
	Stderr
)

// Sink takes what workers send. Its methods are called from the goroutine of
// each ReadFrames. Console is one; wrap it to see the events too.
type Sink interface {
	// Item starts the output of an item. It blocks until no other item's
	// output is under way.
	Item(h ItemHead) Group
	Event(e Event)
}

// Group takes the output of one item. A sink deals with its own errors: a
// worker does not stand still because a terminal went away.
type Group interface {
	// Write does not retain p.
	Write(s Stream, p []byte)
	// End is called once, after the last Write. The output is whole unless
	// its worker was lost in the middle of it.
	End(whole bool)
}

// maxHeld is how much of an item's output is gathered before its group is
// started. What fits arrives in the sink at once, so that a worker which stops
// in the middle of sending it holds nobody up.
const maxHeld = 128 << 10

// ReadFrames hands what a worker sends to sink, until the pipe ends. It
// returns nil if the pipe ends between items, and an error that wraps
// io.ErrUnexpectedEOF if the worker was lost in the middle of one or of a
// frame: the part that came is handed over and its group is ended. It needs a fixed memory,
// however much an item writes. After any other error r is out of step and
// must be closed, so that the worker does not wait for a reader.
func ReadFrames(r io.Reader, sink Sink) error {
	f := frameReader{r: bufio.NewReaderSize(r, maxChunk), sink: sink}
	for {
		err := f.next()
		if err == nil {
			continue
		}
		atEnd := errors.Is(err, io.EOF)
		if atEnd && f.item == nil {
			return nil
		}
		if atEnd {
			err = io.ErrUnexpectedEOF
		}
		f.item.end(false)
		return fmt.Errorf("console: receive: %w", err)
	}
}

type frameReader struct {
	r    *bufio.Reader
	sink Sink
	item *incoming // nil between items
}

// next reads one frame. io.EOF is an end between two frames.
func (f *frameReader) next() error {
	var header [headerBytes]byte
	if _, err := io.ReadFull(f.r, header[:]); err != nil {
		return err
	}
	kind, size := header[0], binary.BigEndian.Uint32(header[1:])
	if err := f.check(kind, size); err != nil {
		return err
	}
	n := int(size)
	switch kind {
	case kindOut:
		return f.chunk(Stdout, n)
	case kindErr:
		return f.chunk(Stderr, n)
	case kindEnd:
		f.item.end(true)
		f.item = nil
		return nil
	}

	body := make([]byte, n)
	if _, err := io.ReadFull(f.r, body); err == io.EOF {
		return io.ErrUnexpectedEOF
	} else if err != nil {
		return err
	}
	if kind == kindHead {
		h, err := decodeHead(body)
		if err != nil {
			return fmt.Errorf("head of an item: %w", err)
		}
		f.item = &incoming{sink: f.sink, head: h}
		return nil
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	f.sink.Event(e)
	return nil
}

// check tells whether a frame may stand here, and whether its size is one that
// a FrameWriter sends.
func (f *frameReader) check(kind byte, size uint32) error {
	limit := uint32(maxChunk)
	switch kind {
	case kindOut, kindErr, kindEnd:
		if f.item == nil {
			return fmt.Errorf("frame %q outside an item", kind)
		}
		if kind == kindEnd {
			limit = 0
		}
	case kindHead, kindEvent:
		if kind == kindHead && f.item != nil {
			return fmt.Errorf("item %.40q holds the head of another", f.item.head.ID)
		}
		limit = maxJSON
	default:
		return fmt.Errorf("frame of unknown kind %q", kind)
	}
	if size > limit {
		return fmt.Errorf("frame %q has %d bytes: at most %d are allowed", kind, size, limit)
	}
	return nil
}

// chunk hands over n bytes, or what came of them before the pipe ended.
func (f *frameReader) chunk(s Stream, n int) error {
	p, err := f.r.Peek(n)
	f.item.write(s, p)
	if err != nil {
		return err
	}
	_, err = f.r.Discard(n)
	return err
}

// incoming is an item whose output is under way: held until it is whole or
// more than maxHeld, then passed on as it comes.
type incoming struct {
	sink Sink
	head ItemHead
	out  []byte // held
	err  []byte // held; a writer sends it after all of out
	to   Group  // nil while held
}

func (i *incoming) write(s Stream, p []byte) {
	if i.to == nil && len(i.out)+len(i.err)+len(p) > maxHeld {
		i.start()
	}
	switch {
	case i.to != nil:
		i.to.Write(s, p)
	case s == Stdout:
		i.out = append(i.out, p...)
	default:
		i.err = append(i.err, p...)
	}
}

func (i *incoming) start() {
	i.to = i.sink.Item(i.head)
	if len(i.out) > 0 {
		i.to.Write(Stdout, i.out)
	}
	if len(i.err) > 0 {
		i.to.Write(Stderr, i.err)
	}
	i.out, i.err = nil, nil
}

func (i *incoming) end(whole bool) {
	if i == nil {
		return
	}
	if i.to == nil {
		i.start()
	}
	i.to.End(whole)
}
