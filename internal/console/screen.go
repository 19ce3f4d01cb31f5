package console

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// The cursor rests at the start of the progress, not behind it: when a terminal
// becomes narrower and breaks a line in two, it is still at the start, and
// erasing what is below takes all parts.
const erase = "\r\x1b[J"

// screen is the two outputs and the progress below them. Its lock is held while
// writing.
type screen struct {
	sync.Mutex
	stdout, stderr stream

	busy  bool   // an item's group is open
	shown string // the progress that stands on the terminal
	drawn bool   // it was drawn since the last tick
}

// stream is one output and whether its last line lacks a newline.
type stream struct {
	w        io.Writer
	terminal bool
	open     bool
	err      error         // the first; nothing is written after it
	broken   chan struct{} // closed at the first error; nil for none
}

func (s *stream) write(p []byte) {
	if len(p) == 0 || s.w == nil || s.err != nil {
		return
	}
	if _, s.err = s.w.Write(p); s.err != nil && s.broken != nil {
		close(s.broken)
	}
	s.open = p[len(p)-1] != '\n'
}

func (s *stream) finish() {
	if s.open {
		s.write([]byte{'\n'})
	}
}

// write puts a part of an item's output on one of the two. On a terminal that
// shows both, a line that the other has begun is ended first.
func (s *screen) write(to Stream, p []byte) {
	dst, other := s.stream(to), s.stream(Stdout+Stderr-to)
	if dst.terminal {
		s.clear()
		if other.terminal {
			other.finish()
		}
	}
	dst.write(p)
}

// message puts whole lines of our own on stderr.
func (s *screen) message(p []byte) {
	s.stderr.finish()
	s.write(Stderr, p)
}

// draw shows lines of progress in place of those that are shown, at most once
// between two ticks. None may be as wide as the terminal, and all together not
// as high.
func (s *screen) draw(lines []string) {
	text := strings.Join(lines, "\r\n")
	if s.drawn || text == s.shown {
		return
	}
	var b []byte
	if s.shown != "" {
		b = append(b, erase...)
	}
	if text != "" {
		b = append(append(b, text...), '\r')
	}
	if up := len(lines) - 1; up > 0 {
		b = fmt.Appendf(b, "\x1b[%dA", up)
	}
	s.stderr.write(b) // at once, so that nothing flickers
	s.stderr.open = false
	s.shown, s.drawn = text, true
}

func (s *screen) clear() {
	if s.shown != "" {
		s.stderr.write([]byte(erase))
		s.stderr.open = false
		s.shown = ""
	}
}

func (s *screen) stream(which Stream) *stream {
	if which == Stderr {
		return &s.stderr
	}
	return &s.stdout
}

// failure is the first error of the outputs.
func (s *screen) failure() error {
	for _, o := range []struct {
		name string
		err  error
	}{{"stdout", s.stdout.err}, {"stderr", s.stderr.err}} {
		if o.err != nil {
			return fmt.Errorf("%s: %w", o.name, o.err)
		}
	}
	return nil
}
