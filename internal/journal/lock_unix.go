//go:build unix

package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long the writers of a run that was killed may live on.
const patience = 10 * time.Second

// Busy is a journal that another process has open.
type Busy struct {
	Path string
	PID  int // 0 if it has not said yet
}

func (e *Busy) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("journal: %s is held by another run", e.Path)
	}
	return fmt.Sprintf("journal: %s is held by another run, process %d", e.Path, e.PID)
}

// takeLock locks a file for the life of the returned handle, and writes this
// process's id into it for whoever finds it locked. The lock goes with the
// process, however it ends; children do not inherit it.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		b, _ := io.ReadAll(io.LimitReader(f, 32))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		_ = f.Close()
		return nil, &Busy{Path: path, PID: pid}
	}
	if err == nil {
		if err = f.Truncate(0); err == nil {
			_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("journal: lock: %w", err)
	}
	return f, nil
}

// holdOpen marks a writer as alive until the returned handle is closed, or the
// process ends.
func holdOpen(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// awaitWriters returns when no writer is alive. Those of a run that was killed
// may have something to add in their last moments.
func awaitWriters(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	late := time.After(patience)
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-retry.C:
		case <-late:
			return fmt.Errorf("%s: workers of an earlier run still live after %s: end them first", path, patience)
		}
	}
}
