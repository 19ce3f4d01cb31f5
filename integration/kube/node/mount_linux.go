package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// enter makes root the root of this process, which has a mount namespace of its
// own: this machine's files with the mounts at their places. Nothing of it is
// seen outside. What a container makes beside the top folders is its own and
// goes with it.
func enter(root string, mounts []mount) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := mirror("/", root); err != nil {
		return err
	}
	proc := filepath.Join(root, "proc") // of this process namespace
	if err := unix.Mount("proc", proc, "proc", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", proc, err)
	}
	if err := unix.Chroot(root); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	// All are opened before one of them may hide another's source.
	sources := make([]*os.File, len(mounts))
	for i, m := range mounts {
		var err error
		if sources[i], err = openPath(m.Source); err != nil {
			return fmt.Errorf("mount at %s: %w", m.Target, err)
		}
		defer sources[i].Close()
	}
	for i, m := range mounts {
		if err := place(sources[i], m); err != nil {
			return fmt.Errorf("mount at %s: %w", m.Target, err)
		}
	}
	return nil
}

// mirror stands a folder of its own at to, with all that is in from. So more
// can be put beside it.
func mirror(from, to string) error {
	source, err := openPath(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", to, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount %s: %w", to, err)
	}
	for _, e := range entries {
		// What vanished in between is not missed.
		if err := mirrorEntry(source, e, filepath.Join(to, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("mirror %s: %w", filepath.Join(from, e.Name()), err)
		}
	}
	return nil
}

func mirrorEntry(dir *os.File, e os.DirEntry, to string) error {
	from := filepath.Join(descriptor(dir), e.Name())
	if e.Type()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	if err := makeTarget(to, e.IsDir()); err != nil {
		return err
	}
	return unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, "")
}

// place mounts what is open at its target, making that where it is missing.
func place(source *os.File, m mount) error {
	info, err := source.Stat()
	if err != nil {
		return err
	}
	target, err := room(m.Target)
	if err != nil {
		return err
	}
	if err := makeTarget(target, info.IsDir()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := unix.Mount(descriptor(source), target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if m.ReadOnly {
		return unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	return nil
}

// room returns where a path is after symbolic links, making the folders above
// it. A folder of the machine into which something must be put is mirrored
// first, so that the machine's own does not change.
func room(path string) (string, error) {
	at, missing := "/", false
	parts := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	for i, part := range parts {
		next := filepath.Join(at, part)
		resolved, err := filepath.EvalSymlinks(next)
		switch {
		case err == nil:
			at = resolved
			continue
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
		if !missing && at != "/" { // "/" is a mirror already
			if err := mirror(at, at); err != nil {
				return "", err
			}
		}
		missing = true
		if i == len(parts)-1 {
			return next, nil
		}
		if err := os.Mkdir(next, 0o755); err != nil {
			return "", err
		}
		at = next
	}
	return at, nil
}

func makeTarget(path string, folder bool) error {
	if folder {
		return os.Mkdir(path, 0o755)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

func openPath(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// descriptor is a path to what is open, whatever is mounted over its own.
func descriptor(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }
