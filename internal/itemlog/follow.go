package itemlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// lookEvery is how long what an attempt has written may wait for Follow.
const lookEvery = 100 * time.Millisecond

// Follow writes what an attempt has written to stdout and stderr, and then
// what it goes on to write, until it ends or ctx does. It looks ten times a
// second. What it returns is the attempt as it was in the end; there is no
// error if that was the end of ctx.
func Follow(ctx context.Context, e Entry, stdout, stderr io.Writer) (Entry, error) {
	out := &tail{path: e.path(outSuffix), w: stdout}
	defer out.close()
	errs := &tail{path: e.path(errSuffix), w: stderr}
	defer errs.close()
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for {
		// Asked before the outputs are read: what was written before the end
		// is there then. One that is removed meanwhile has ended.
		now, err := read(e.dir, e.name)
		gone := errors.Is(err, os.ErrNotExist)
		if err != nil && !gone {
			return e, fmt.Errorf("item log: %w", err)
		}
		if !gone {
			e = now
		}
		if err := errors.Join(out.pass(), errs.pass()); err != nil {
			return e, err
		}
		if gone || e.Outcome != Running {
			return e, nil
		}
		select {
		case <-ctx.Done():
			return e, nil
		case <-again.C:
		}
	}
}

// Copy writes what an attempt has written so far, its stdout first.
func Copy(e Entry, stdout, stderr io.Writer) error {
	once, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Follow(once, e, stdout, stderr)
	return err
}

// tail is a file of which the first bytes have been written on.
type tail struct {
	path string
	w    io.Writer
	f    *os.File
	at   int64
}

// pass writes on what is new. A file that is cut when its attempt ends is read
// on as it was; a command that opened /dev/stdout anew has begun again.
func (t *tail) pass() error {
	if t.f == nil {
		f, err := os.Open(t.path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("item log: %w", err)
		}
		t.f = f
	}
	info, err := t.f.Stat()
	if err != nil {
		return fmt.Errorf("item log: %w", err)
	}
	if info.Size() < t.at {
		t.at = 0
	}
	n, err := io.Copy(t.w, io.NewSectionReader(t.f, t.at, info.Size()-t.at))
	t.at += n
	return err
}

func (t *tail) close() {
	if t.f != nil {
		_ = t.f.Close() // it was only read
	}
}
