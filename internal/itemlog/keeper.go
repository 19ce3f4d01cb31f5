package itemlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Defaults of Bounds.
const (
	DefaultBytes    = 1 << 30
	DefaultAttempts = 10_000
)

// Bounds are how much a folder keeps. What is too much goes in this order: of
// attempts that were done the oldest, then of the others the oldest.
type Bounds struct {
	Bytes    int64 // of output; 0: DefaultBytes
	Attempts int   // 0: DefaultAttempts
}

// Keeper holds a folder within its bounds. It is safe for concurrent use; one
// at a time may have a folder.
type Keeper struct {
	dir    string
	bounds Bounds

	mu    sync.Mutex
	known map[string]struct{} // in one of the two
	done  []kept              // the oldest first
	other []kept
	bytes int64
}

// kept is an attempt that has ended.
type kept struct {
	name string
	size int64
}

// NewKeeper looks at what a folder has, which need not be there. Attempts that
// ended with their worker, which could not cut them, are cut.
func NewKeeper(dir string, b Bounds) (*Keeper, error) {
	if b.Bytes == 0 {
		b.Bytes = DefaultBytes
	}
	if b.Attempts == 0 {
		b.Attempts = DefaultAttempts
	}
	k := &Keeper{dir: dir, bounds: b, known: make(map[string]struct{})}
	return k, k.Close()
}

// Ended counts an attempt in. It may be called after End.
func (k *Keeper) Ended(token uint64, id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.count(fileName(token, id)); err != nil {
		return err
	}
	return k.drop()
}

// Close counts what has ended and nobody has told of, and cuts what its worker
// could not.
func (k *Keeper) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	names, err := attempts(k.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := k.count(name); err != nil {
			return err
		}
	}
	return k.drop()
}

// count takes an attempt up that is over. The lock is held.
func (k *Keeper) count(name string) error {
	if _, ok := k.known[name]; ok {
		return nil
	}
	e, err := read(k.dir, name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case errors.Is(err, errNoHead): // killed in the middle of it
		return k.remove(name)
	case err != nil:
		return fmt.Errorf("item log: %w", err)
	case e.Outcome == Running:
		return nil
	case e.End == nil && e.Size > e.Limit:
		if err := e.cut(); err != nil {
			return fmt.Errorf("item log: %w", err)
		}
		if e, err = read(k.dir, name); err != nil {
			return fmt.Errorf("item log: %w", err)
		}
	}
	list := &k.other
	if e.Outcome == Done {
		list = &k.done
	}
	*list = append(*list, kept{name, e.Size})
	k.known[name] = struct{}{}
	k.bytes += e.Size
	return nil
}

// drop removes what is too much. The lock is held.
func (k *Keeper) drop() error {
	for len(k.known) > k.bounds.Attempts || k.bytes > k.bounds.Bytes {
		from := &k.done
		if len(*from) == 0 {
			from = &k.other
		}
		old := (*from)[0]
		if err := k.remove(old.name); err != nil {
			return err
		}
		*from = (*from)[1:]
		delete(k.known, old.name)
		k.bytes -= old.size
	}
	return nil
}

// remove takes all files of an attempt away, that which makes it known last.
func (k *Keeper) remove(name string) error {
	for _, suffix := range []string{outSuffix, errSuffix, outSuffix + cutSuffix, errSuffix + cutSuffix, itemSuffix} {
		if err := os.Remove(filepath.Join(k.dir, name+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("item log: %w", err)
		}
	}
	return nil
}
