package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice.dev/coordinator/local"
	"sluice.dev/worker"
	"sluice.dev/worker/command"
)

// runHandler is the command, with what a run does around it.
type runHandler struct {
	*command.Handler
	starts *starts // nil: items start at once
	times  *times
}

func (h *runHandler) Handle(ctx context.Context, a *worker.Attempt) error {
	if h.starts != nil {
		if err := h.starts.wait(ctx); err != nil {
			return err
		}
	}
	defer h.times.start(a.Lease)()
	return h.Handler.Handle(ctx, a)
}

// starts keeps the starts of items apart, in all worker processes together:
// they share a file with the time of the next one.
type starts struct {
	mu    sync.Mutex // locks of files do not keep threads of one process apart
	file  *os.File
	every time.Duration
}

// newStarts is the file that workers inherit.
func newStarts() (*os.File, error) {
	f, err := os.CreateTemp("", ".sluice-starts-")
	if err != nil {
		return nil, fmt.Errorf("--delay: %w", err)
	}
	return f, os.Remove(f.Name())
}

func inheritStarts(every time.Duration) (*starts, error) {
	f := os.NewFile(local.FileFD, "starts")
	if f == nil {
		return nil, fmt.Errorf("--delay: descriptor %d is not open", local.FileFD)
	}
	syscall.CloseOnExec(local.FileFD)
	return &starts{file: f, every: every}, nil
}

// wait returns when it is this caller's turn to start an item, or at the end
// of ctx, which the handler heeds.
func (s *starts) wait(ctx context.Context) error {
	at, err := s.reserve()
	if err != nil {
		return worker.Release(fmt.Errorf("--delay: %w", err))
	}
	turn := time.NewTimer(time.Until(at))
	defer turn.Stop()
	select {
	case <-turn.C:
	case <-ctx.Done():
	}
	return nil
}

// reserve takes the next free time.
func (s *starts) reserve() (at time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Len: 8}
	if err := unix.FcntlFlock(s.file.Fd(), unix.F_SETLKW, &lock); err != nil {
		return at, err
	}
	defer func() {
		lock.Type = unix.F_UNLCK
		_ = unix.FcntlFlock(s.file.Fd(), unix.F_SETLK, &lock) // it ends with the process at the latest
	}()
	at = time.Now()
	var b [8]byte
	if n, _ := s.file.ReadAt(b[:], 0); n == len(b) { // empty before the first
		next := time.Unix(0, int64(binary.BigEndian.Uint64(b[:])))
		// What is further off than every slot's turn is from before the clock
		// was set back.
		if next.After(at) && next.Sub(at) <= maxParallelism*s.every {
			at = next
		}
	}
	binary.BigEndian.PutUint64(b[:], uint64(at.Add(s.every).UnixNano()))
	_, err = s.file.WriteAt(b[:], 0)
	return at, err
}
