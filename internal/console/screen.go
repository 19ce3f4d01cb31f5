package console

import (
	"fmt"
	"io"
	"sync"
)

// The cursor rests at the start of the progress line, not behind it: when a
// terminal becomes narrower and breaks the line in two, it is still at the
// start, and erasing what is below takes both parts.
const erase = "\r\x1b[J"

// screen is the two outputs and the progress line. Its lock is held while
// writing.
type screen struct {
	sync.Mutex
	stdout, stderr stream

	busy  bool   // an item's group is open
	shown string // the progress line that stands on the terminal
	drawn bool   // a line was drawn since the last tick
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

// draw shows a progress line in place of the one that is shown, at most once
// between two ticks.
func (s *screen) draw(line string) {
	if s.drawn || line == s.shown {
		return
	}
	s.clear()
	if line != "" {
		s.stderr.write([]byte(line + "\r"))
		s.stderr.open = false
	}
	s.shown, s.drawn = line, true
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
