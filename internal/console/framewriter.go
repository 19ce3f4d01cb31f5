package console

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// FrameWriter is a worker's end of the pipe. It is safe for concurrent use.
//
// Its methods block while the launcher does not read. After an error of the
// pipe, which may have cut a frame short, every call returns that error.
type FrameWriter struct {
	group sync.Mutex // held for all frames of an item; taken before mu
	chunk []byte     // guarded by group

	mu sync.Mutex // held for one frame
	w  *bufio.Writer
}

// NewFrameWriter writes frames to w.
func NewFrameWriter(w io.Writer) *FrameWriter {
	return &FrameWriter{
		chunk: make([]byte, maxChunk),
		w:     bufio.NewWriterSize(w, maxChunk), // a small item is one write
	}
}

// Item sends the whole output of an item, in a memory that does not depend on
// its size. A nil reader is an empty one. If a reader fails, what it gave
// before is sent and its error is returned.
func (f *FrameWriter) Item(h ItemHead, stdout, stderr io.Reader) error {
	head, err := encodeHead(h)
	if err != nil {
		return fmt.Errorf("console: head of item %.40q: %w", h.ID, err)
	}
	f.group.Lock()
	defer f.group.Unlock()
	if err := f.frame(kindHead, head, false); err != nil {
		return err
	}
	outErr := f.stream(kindOut, stdout)
	errErr := f.stream(kindErr, stderr)
	if err := f.frame(kindEnd, nil, true); err != nil {
		return err
	}
	if outErr != nil {
		return fmt.Errorf("console: stdout of item %.40q: %w", h.ID, outErr)
	}
	if errErr != nil {
		return fmt.Errorf("console: stderr of item %.40q: %w", h.ID, errErr)
	}
	return nil
}

// Event sends an event. It waits for no item: it may go between two chunks of
// one.
func (f *FrameWriter) Event(e Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("console: event %s: %w", e.Type, err)
	}
	return f.frame(kindEvent, body, true)
}

// stream sends what r holds in chunks. Reading stands outside mu, so that an
// event need not wait for a slow reader.
func (f *FrameWriter) stream(kind byte, r io.Reader) error {
	if r == nil {
		return nil
	}
	for {
		n, err := r.Read(f.chunk)
		if n > 0 {
			if err := f.frame(kind, f.chunk[:n], false); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (f *FrameWriter) frame(kind byte, body []byte, flush bool) error {
	if len(body) > maxJSON {
		return fmt.Errorf("console: frame of %d bytes: at most %d are allowed", len(body), maxJSON)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	header := [headerBytes]byte{kind}
	binary.BigEndian.PutUint32(header[1:], uint32(len(body)))
	_, _ = f.w.Write(header[:]) // an error sticks to f.w and comes back below
	_, err := f.w.Write(body)
	if err == nil && flush {
		err = f.w.Flush()
	}
	if err != nil {
		return fmt.Errorf("console: send: %w", err)
	}
	return nil
}
