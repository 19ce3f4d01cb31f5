package producer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sluice.dev/queue"
)

// Existing says what becomes of an item whose output exists already.
type Existing string

// What may become of an item whose output exists already.
const (
	Fail    Existing = "fail"    // an error; "" is the same
	Skip    Existing = "skip"    // left out and counted
	Replace Existing = "replace" // enqueued as if the output were not there
)

// Outputs is how outputs that exist already are treated. The zero value takes
// each for somebody else's and fails.
type Outputs struct {
	Existing Existing

	// Ours tells whether the queue's records prove that what exists under
	// the item's Output is, or is about to be, the item's own: published for
	// it before. Such an item is enqueued, most likely as a duplicate,
	// whatever Existing says. It is asked only about outputs that exist, and
	// must be set where outputs may appear while the input is still read,
	// since a line may come twice. Its
	// error becomes a *StoreError. nil: none is.
	Ours func(ctx context.Context, it queue.Item) (bool, error)
}

func (o Outputs) validate() error {
	switch o.Existing {
	case "", Fail, Skip, Replace:
		return nil
	}
	return fmt.Errorf("existing %q is unknown: fail, skip and replace are allowed", string(o.Existing))
}

// errExists is an output that is there already, and nothing allows for it.
var errExists = errors.New("there already: remove what exists, or say --existing skip or --existing replace")

// blocks tells whether the output of the item at pos is taken by a file that
// is not its own.
func (o Outputs) blocks(ctx context.Context, it queue.Item, pos Position) (bool, error) {
	if it.Output == "" || o.Existing == Replace {
		return false, nil
	}
	if _, err := os.Lstat(it.Output); absent(err) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("%s: output: %w", pos, err)
	}
	if o.Ours == nil {
		return true, nil
	}
	ours, err := o.Ours(ctx, it)
	if err != nil {
		return false, &StoreError{First: pos, Last: pos, Err: err}
	}
	return !ours, nil
}

// checkFolder tells why a folder can neither be written to nor be made, from
// the nearest part of its path that exists. It leaves nothing behind.
func checkFolder(dir string) error {
	for d := dir; ; d = filepath.Dir(d) {
		info, err := os.Stat(d)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if _, err := os.Lstat(d); err == nil {
				return fmt.Errorf("output folder %s: %s is a symbolic link to nothing", dir, d)
			}
		case errors.Is(err, syscall.ENOTDIR): // a part before it, which is found further up
		case err != nil:
			return fmt.Errorf("output folder: %w", err)
		case !info.IsDir():
			return fmt.Errorf("output folder %s: %s is not a folder", dir, d)
		default:
			if err := writable(d); err != nil {
				return fmt.Errorf("output folder %s: %s cannot be written to: %w", dir, d, err)
			}
			return nil
		}
	}
}

// writable makes a folder in dir and removes it, since nothing else tells for
// sure: not permissions (a read-only file system), not access(2) (/proc).
func writable(dir string) error {
	probe, err := os.MkdirTemp(dir, ".sluice-probe-")
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return err
	}
	return os.Remove(probe)
}
