package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"sluice.dev/queue"
)

// capture holds the output of one running command: two unlinked files, which
// unlike pipes need nobody to drain them and do not stay open for a process
// that the command left in the background. They are opened for appending, so
// that truncating them is enough to use them again.
type capture struct {
	stdout, stderr *os.File
}

func openCapture(dir string) (*capture, error) {
	stdout, err := openScratch(dir)
	if err != nil {
		return nil, err
	}
	stderr, err := openScratch(dir)
	if err != nil {
		_ = stdout.Close()
		return nil, err
	}
	return &capture{stdout, stderr}, nil
}

// openUnlinked makes a file and takes its name away at once. It is the way
// where the system or the file system has no files without a name.
func openUnlinked(dir string) (*os.File, error) {
	named, err := os.CreateTemp(dir, ".sluice-scratch-")
	if err != nil {
		return nil, err
	}
	defer named.Close()
	f, err := os.OpenFile(named.Name(), os.O_RDWR|os.O_APPEND, 0)
	return f, errors.Join(err, os.Remove(named.Name()))
}

// sizes are the bytes in stdout and stderr.
func (c *capture) sizes() (stdout, stderr int64, err error) {
	o, err := c.stdout.Stat()
	if err != nil {
		return 0, 0, err
	}
	e, err := c.stderr.Stat()
	if err != nil {
		return 0, 0, err
	}
	return o.Size(), e.Size(), nil
}

// tail is the end of stderr as valid UTF-8, at most queue.MaxStderrBytes.
func (c *capture) tail() (string, error) {
	_, size, err := c.sizes()
	if err != nil || size == 0 {
		return "", err
	}
	n := min(size, queue.MaxStderrBytes)
	b := make([]byte, n)
	if n, err := c.stderr.ReadAt(b, size-n); err != nil && err != io.EOF {
		return "", err
	} else {
		b = b[:n]
	}
	return clean(b, size > int64(len(b))), nil
}

// clean makes valid UTF-8 of b. If b was cut from something longer, the rest
// of a character at its start goes.
func clean(b []byte, cut bool) string {
	for i := 0; cut && i < utf8.UTFMax-1 && len(b) > 0 && !utf8.RuneStart(b[0]); i++ {
		b = b[1:]
	}
	s := strings.ToValidUTF8(string(b), "\uFFFD") // may be longer than b
	if over := len(s) - queue.MaxStderrBytes; over > 0 {
		s = s[over:]
		for len(s) > 0 && !utf8.RuneStart(s[0]) {
			s = s[1:]
		}
	}
	return s
}

// reset makes a used capture as good as new.
func (c *capture) reset() error {
	stdout, stderr, err := c.sizes()
	if err == nil && stdout > 0 {
		err = c.stdout.Truncate(0)
	}
	if err == nil && stderr > 0 {
		err = c.stderr.Truncate(0)
	}
	return err
}

func (c *capture) close() error { return errors.Join(c.stdout.Close(), c.stderr.Close()) }

// captures are the ones that no running command has. There are never more
// than ran at the same time.
type captures struct {
	dir string

	mu   sync.Mutex
	free []*capture
}

func (p *captures) get() (*capture, error) {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		c := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	c, err := openCapture(p.dir)
	if err != nil {
		return nil, fmt.Errorf("scratch file: %w", err)
	}
	return c, nil
}

func (p *captures) put(c *capture) {
	if c.reset() != nil {
		_ = c.close()
		return
	}
	p.mu.Lock()
	p.free = append(p.free, c)
	p.mu.Unlock()
}

func (p *captures) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	for _, c := range p.free {
		err = errors.Join(err, c.close())
	}
	p.free = nil
	return err
}
