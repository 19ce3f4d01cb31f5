// Package bin writes and reads the compact records of a queue's log and of what
// its clients and its leader say to each other: varints, and bytes behind their
// length.
package bin

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrShort is a record that ends too early or whose numbers are not numbers.
var ErrShort = errors.New("record is cut short or damaged")

// Writer appends to B. Its zero value is ready to use.
type Writer struct{ B []byte }

// Uint writes a number.
func (w *Writer) Uint(v uint64) { w.B = binary.AppendUvarint(w.B, v) }

// Int writes a number that may be negative; those near 0 are the shortest.
func (w *Writer) Int(v int64) { w.B = binary.AppendVarint(w.B, v) }

// Fixed writes a number in 8 bytes: one whose every bit is as likely.
func (w *Writer) Fixed(v uint64) { w.B = binary.LittleEndian.AppendUint64(w.B, v) }

// Byte writes a byte.
func (w *Writer) Byte(v byte) { w.B = append(w.B, v) }

// Bool writes a truth.
func (w *Writer) Bool(v bool) {
	if v {
		w.B = append(w.B, 1)
	} else {
		w.B = append(w.B, 0)
	}
}

// String writes text behind its length.
func (w *Writer) String(v string) {
	w.Uint(uint64(len(v)))
	w.B = append(w.B, v...)
}

// Bytes writes bytes behind their length. Nil is told from empty.
func (w *Writer) Bytes(v []byte) {
	if v == nil {
		w.Uint(0)
		return
	}
	w.Uint(uint64(len(v)) + 1)
	w.B = append(w.B, v...)
}

// Reader reads what a Writer wrote. After an error it reads zeros; Err tells of
// it. What it returns does not share memory with what it reads, but for Rest.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads b.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Err is what was wrong, if anything was.
func (r *Reader) Err() error { return r.err }

// More tells whether there is anything left to read.
func (r *Reader) More() bool { return r.err == nil && len(r.b) > 0 }

// Fail makes the reader fail, with the first error that it met.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// End is Err, or an error if something is left.
func (r *Reader) End() error {
	if r.err == nil && len(r.b) > 0 {
		r.Fail(fmt.Errorf("%d bytes too many: %w", len(r.b), ErrShort))
	}
	return r.err
}

// Uint reads a number.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.Fail(ErrShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int reads a number that may be negative.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.Fail(ErrShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Fixed reads a number of 8 bytes.
func (r *Reader) Fixed() uint64 {
	if len(r.b) < 8 {
		r.Fail(ErrShort)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

// Byte reads a byte.
func (r *Reader) Byte() byte {
	if len(r.b) == 0 {
		r.Fail(ErrShort)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// Bool reads a truth.
func (r *Reader) Bool() bool { return r.Byte() != 0 }

// Count reads how many things follow, of at least one byte each, so that a
// damaged number asks for no more memory than the record has.
func (r *Reader) Count() int {
	n := r.Uint()
	if n > uint64(len(r.b)) {
		r.Fail(ErrShort)
		return 0
	}
	return int(n)
}

// raw reads n bytes without copying them.
func (r *Reader) raw(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.Fail(ErrShort)
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

// String reads text.
func (r *Reader) String() string { return string(r.raw(r.Uint())) }

// Bytes reads bytes.
func (r *Reader) Bytes() []byte {
	n := r.Uint()
	if n == 0 {
		return nil
	}
	v := r.raw(n - 1)
	if r.err != nil {
		return nil
	}
	return append(make([]byte, 0, len(v)), v...)
}

// Fill reads as many bytes as b has.
func (r *Reader) Fill(b []byte) { copy(b, r.raw(uint64(len(b)))) }

// Rest is all that is left to read. It alone shares memory with what is read.
func (r *Reader) Rest() []byte {
	v := r.b
	r.b = nil
	return v
}
