//go:build unix

package itemlog

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// hold locks a file until it is closed or the process ends. A reader that asks
// at this moment holds it up for no longer than that.
func hold(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// isHeld tells whether anybody holds a file.
func isHeld(f *os.File) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return true, nil
		case err != nil:
			return false, err
		default:
			return false, unix.Flock(int(f.Fd()), unix.LOCK_UN)
		}
	}
}
