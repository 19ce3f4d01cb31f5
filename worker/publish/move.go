package publish

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// mover is the calls that not every system has. They return an error for which
// unsupported is true where the system or the file system has not.
type mover struct {
	noReplace func(from, to string) error // fs.ErrExist if there is anything at to
	link      func(from, to string) error // fs.ErrExist likewise; a link itself is linked, not followed
	exchange  func(a, b string) error     // fs.ErrNotExist unless there is something at both
}

// unsupported tells whether err may mean that there is no such operation. A
// sandbox says EPERM; where that is meant as it stands, the next way to do it
// fails with it too.
func unsupported(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EPERM)
}

// place moves what is at from to a path where nothing is. fs.ErrExist means
// that something is, fs.ErrNotExist that nothing is at from any more.
func (m mover) place(from, to string, dir bool) error {
	err := m.noReplace(from, to)
	if !unsupported(err) {
		return err
	}
	if !dir {
		err := m.link(from, to)
		if err == nil {
			// A second name of the same file does no harm, and goes with
			// the staging folder if it stays.
			_ = os.Remove(from)
			return nil
		}
		if !unsupported(err) {
			return err
		}
	}
	// Between these two calls another program may make something at to. A
	// file there would be lost; of folders, only an empty one.
	there, err := lstat(to)
	if err != nil {
		return err
	}
	if there != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}

// takenPrefix begins the names that replace gives to what it moves.
const takenPrefix = prefix + "taken-"

// replace moves a committed file to its place, in which something is. Its
// errors are those of place, and fs.ErrNotExist or fs.ErrExist only mean that
// the situation has changed.
func (m mover) replace(r Record, f File, from string) error {
	to := r.final(f)
	there, err := lstat(to)
	if err != nil {
		return err
	}
	if !f.Dir && (there == nil || !there.IsDir()) {
		return os.Rename(from, to)
	}
	// A folder is neither replaced nor replaces by a rename. An exchange does
	// it, but of two in turn the second would undo the first. So each caller
	// takes the file under a name of its own, which nobody else ever fills,
	// and looks again: what it then exchanges is the committed file or nothing.
	own := filepath.Join(r.Staging, takenPrefix+rand.Text())
	if err := os.Rename(from, own); err != nil {
		return err
	}
	taken, err := lstat(own)
	if err != nil {
		return err
	}
	if !f.is(taken) {
		return fs.ErrNotExist // it is what another put away; it goes with the staging folder
	}
	if err := m.exchange(own, to); !unsupported(err) {
		return err
	}
	// Without an exchange there is nothing in the place for a moment. Should
	// another have put the committed file there just now, it is put away with
	// the rest, and found again by the next look.
	if err := os.Rename(to, own+"-old"); err != nil {
		return err
	}
	return m.place(own, to, f.Dir)
}
