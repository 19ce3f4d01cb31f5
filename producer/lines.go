package producer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"sluice.dev/queue"
)

// LineOptions says what a line is. The zero value is a line of text.
type LineOptions struct {
	// Null ends lines in NUL instead of newline, as find -print0 writes
	// them. Every other byte is then part of the line.
	Null bool
}

var (
	errLongLine = fmt.Errorf("line is too long: at most %d bytes (1 MiB) are allowed", queue.MaxPayloadBytes)
	errNULByte  = errors.New("line has a NUL byte: any other byte is allowed, unless NUL is what ends the lines")
)

// Lines yields the lines of r from where it stands. name is what errors call
// it.
//
// A line may have any bytes but NUL and at most queue.MaxPayloadBytes of them.
// One carriage return before a newline belongs to the end of the line, not to
// the line. Empty lines are passed over: they count for positions alone. The
// last line needs no end.
//
// A line is yielded as soon as r has returned it. Where r fails, what it had
// returned of an unfinished line is not yielded.
func Lines(r io.Reader, name string, o LineOptions) Source {
	return func(yield func(Record, error) bool) {
		lr := lineReader{r: bufio.NewReaderSize(r, 64<<10), delim: '\n'}
		if o.Null {
			lr.delim = 0
		}
		for n := int64(1); ; n++ {
			pos := Position{name, n}
			line, more, err := lr.next()
			if err == nil && !more {
				return
			}
			if err == nil {
				line, err = o.content(line)
			}
			if err != nil {
				yield(Record{Pos: pos}, fmt.Errorf("%s: %w", pos, err))
				return
			}
			if len(line) > 0 && !yield(Record{Arg: string(line), Pos: pos}, nil) {
				return
			}
		}
	}
}

// content is what a line says, without the rest of its end.
func (o LineOptions) content(line []byte) ([]byte, error) {
	if !o.Null {
		line = bytes.TrimSuffix(line, []byte("\r"))
	}
	switch {
	case len(line) > queue.MaxPayloadBytes:
		return nil, errLongLine
	case !o.Null && bytes.IndexByte(line, 0) >= 0:
		return nil, errNULByte
	}
	return line, nil
}

// File yields the lines of a file, which it opens each time that it is read,
// so that the same source may be checked and then enqueued.
func File(path string, o LineOptions) Source {
	return Open(path, func(r io.Reader, name string) Source { return Lines(r, name, o) })
}

// Open yields what read, such as JSONLines or CSV, finds in a file, which it
// opens each time that it is read.
func Open(path string, read func(r io.Reader, name string) Source) Source {
	return func(yield func(Record, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(Record{Pos: Position{Name: path}}, err)
			return
		}
		defer f.Close()
		read(f, path)(yield)
	}
}

// lineReader splits a reader into lines in the memory of the longest.
type lineReader struct {
	r     *bufio.Reader
	delim byte
	buf   []byte // of a line that is longer than r's buffer
}

// next is the next line without its end, valid until the call after it, while
// there are more. Of a line that is too long it is a part that is too long
// too.
func (l *lineReader) next() (line []byte, more bool, err error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice(l.delim)
		if err == nil && len(l.buf) == 0 {
			return part[:len(part)-1], true, nil
		}
		l.buf = append(l.buf, part...)
		switch {
		case err == nil:
			return l.buf[:len(l.buf)-1], true, nil
		case err == io.EOF:
			return l.buf, len(l.buf) > 0, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, false, err
		case len(l.buf) > queue.MaxPayloadBytes+len("\r\n"):
			return l.buf, true, nil
		}
	}
}
