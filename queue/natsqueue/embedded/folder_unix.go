//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const lockName = "sluice.lock"

// Busy is a store that another process has.
type Busy struct {
	Dir string
	PID string // of the process; "" if it has not said yet
	URL string // where the process lets others in; "" if it does not
}

func (e *Busy) Error() string {
	who := "another process"
	if e.PID != "" {
		who = "process " + e.PID
	}
	if e.URL != "" {
		return fmt.Sprintf("store %s is in use by %s, which serves it to all at %s: use that URL for it", e.Dir, who, e.URL)
	}
	return fmt.Sprintf("store %s is in use by %s alone: for several processes run 'sluice up --store file:%s' and use the URL that it prints", e.Dir, who, e.Dir)
}

// prepare makes the folder, its owner's alone, and refuses one that holds
// something else.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	// A new volume has a lost+found.
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == "lost+found" })
	ours := slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == lockName })
	if len(entries) > 0 && !ours {
		return fmt.Errorf("folder %s holds %s, which is no store's: name a new or an empty folder", dir, entries[0].Name())
	}
	return nil
}

// takeLock locks the folder for the life of the returned handle. The lock goes
// with the process, however it ends; children do not inherit it.
func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		b, _ := io.ReadAll(io.LimitReader(f, 1024))
		pid, url, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
		_ = f.Close()
		return nil, &Busy{Dir: dir, PID: pid, URL: url}
	}
	if err == nil {
		err = note(f, "")
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("store: lock %s: %w", dir, err)
	}
	return f, nil
}

// note writes for whoever finds the folder locked who has it.
func note(f *os.File, url string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d %s\n", os.Getpid(), url), 0)
	return err
}
