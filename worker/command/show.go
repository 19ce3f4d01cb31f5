package command

import (
	"bytes"
	"io"
	"os"
	"time"

	"sluice.dev/worker"
)

// followEvery is how often the output of a running command is looked at for
// lines to show.
const followEvery = 50 * time.Millisecond

// view is how much of a command's output the console has seen.
type view struct {
	h              *Handler
	a              *worker.Attempt
	stdout, stderr seen
}

// seen is a file of which the first bytes were shown. Those up to scanned hold
// no further end of a line.
type seen struct {
	f              *os.File
	shown, scanned int64
}

// follow shows the lines of a running command as they come, if the handler is
// to do that. What it returns ends that, and is called once.
func (h *Handler) follow(a *worker.Attempt, c *capture) (end func() *view) {
	v := &view{h: h, a: a, stdout: seen{f: c.stdout}, stderr: seen{f: c.stderr}}
	if !h.o.LineBuffer || h.o.Console == nil {
		return func() *view { return v }
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		look := time.NewTicker(followEvery)
		defer look.Stop()
		for {
			select {
			case <-look.C:
				v.show((*seen).lines)
			case <-stop:
				return
			}
		}
	}()
	return func() *view {
		close(stop)
		<-stopped
		return v
	}
}

// rest shows what was not shown yet. The command has ended.
func (v *view) rest() {
	if v.h.o.Console != nil {
		v.show((*seen).all)
	}
}

// show hands what take finds in the two outputs to the console. A console that
// fails is no fault of the item.
func (v *view) show(take func(*seen) (*io.SectionReader, error)) {
	stdout, err := take(&v.stdout)
	if err == nil {
		var stderr *io.SectionReader
		if stderr, err = take(&v.stderr); err == nil && stdout.Size()+stderr.Size() > 0 {
			err = v.h.o.Console.Item(v.a, stdout, stderr)
		}
	}
	if err != nil {
		v.h.o.Logger.Error("an item's output could not be shown", "item", v.a.Item.ID, "attempt", v.a.Attempt, "error", err)
	}
}

// all is what was written and not shown.
func (s *seen) all() (*io.SectionReader, error) {
	size, err := s.size()
	if err != nil {
		return nil, err
	}
	return s.upTo(size), nil
}

// lines is the whole lines of that.
func (s *seen) lines() (*io.SectionReader, error) {
	size, err := s.size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(size-s.scanned, 32<<10))
	for end := size; end > s.scanned; {
		n := min(end-s.scanned, int64(len(b)))
		if _, err := s.f.ReadAt(b[:n], end-n); err != nil && err != io.EOF {
			return nil, err
		}
		if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 {
			s.scanned = size
			return s.upTo(end - n + int64(i) + 1), nil
		}
		end -= n
	}
	s.scanned = size
	return s.upTo(s.shown), nil
}

// size is the file's. A command that opened /dev/stdout anew has cut it off and
// begun again.
func (s *seen) size() (int64, error) {
	info, err := s.f.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() < s.scanned {
		s.shown, s.scanned = 0, 0
	}
	return info.Size(), nil
}

func (s *seen) upTo(end int64) *io.SectionReader {
	r := io.NewSectionReader(s.f, s.shown, end-s.shown)
	s.shown = end
	return r
}
