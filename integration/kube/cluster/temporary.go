package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

const temporaryName = "sluice-kube-"

// temporary makes a folder that is this process's for as long as it lives, and
// removes those of processes that were killed before they could.
func temporary() (dir string, held *os.File, err error) {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), temporaryName+"*"))
	if err != nil {
		return "", nil, err
	}
	for _, dir := range old {
		if held, err := own(dir); err == nil {
			_ = os.RemoveAll(dir) // what is in use by somebody else is not in the way
			_ = held.Close()
		}
	}
	for range 5 { // another that starts may take it for one of the dead
		if dir, err = os.MkdirTemp("", temporaryName); err != nil {
			return "", nil, err
		}
		if held, err = own(dir); err == nil {
			return dir, held, nil
		}
	}
	return "", nil, err
}

// own takes a folder, unless a process that lives has it.
func own(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
