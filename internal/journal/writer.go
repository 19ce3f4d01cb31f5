package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Writer adds entries to a file of its own. It is safe for concurrent use:
// those who wait for the disk at the same time wait for one sync.
type Writer struct {
	f    *os.File
	held *os.File // says that this writer lives
	wake chan struct{}
	done sync.WaitGroup

	mu     sync.Mutex
	synced *sync.Cond
	buf    []byte
	added  uint64 // entries in buf and before
	kept   uint64 // entries that the disk has
	err    error  // of the file: nothing is kept after it
	closed bool
}

// NewWriter starts a file in the folder of a journal that this process or its
// parent has open. The name tells the writers of one run apart.
func NewWriter(dir, name string) (*Writer, error) {
	held, err := holdOpen(filepath.Join(dir, writersName))
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	w, err := newWriter(dir, name)
	if err != nil {
		_ = held.Close()
		return nil, fmt.Errorf("journal: %w", err)
	}
	w.held = held
	return w, nil
}

func newWriter(dir, name string) (*Writer, error) {
	path := filepath.Join(dir, strconv.FormatInt(time.Now().UnixNano(), 10)+"-"+name+suffix)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syncDir(dir); err != nil {
		_ = f.Close()
		return nil, err
	}
	w := &Writer{f: f, wake: make(chan struct{}, 1)}
	w.synced = sync.NewCond(&w.mu)
	w.done.Go(w.loop)
	return w, nil
}

// Add hands an entry to the writer, which syncs it soon. Sync waits for it.
func (w *Writer) Add(e Entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if w.closed {
		return os.ErrClosed
	}
	buf, err := appendLine(w.buf, e)
	if err != nil {
		return fmt.Errorf("journal: entry of item %.60q: %w", e.ID, err)
	}
	w.buf = buf
	w.added++
	select {
	case w.wake <- struct{}{}:
	default: // it is awake
	}
	return nil
}

// Sync returns when the disk has all entries that were added before.
func (w *Writer) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for want := w.added; w.kept < want && w.err == nil; {
		w.synced.Wait()
	}
	return w.err
}

// loop writes what has gathered while it wrote before.
func (w *Writer) loop() {
	for range w.wake {
		w.mu.Lock()
		buf, upTo := w.buf, w.added
		w.buf = nil
		w.mu.Unlock()
		var err error
		if len(buf) > 0 {
			if _, err = w.f.Write(buf); err == nil {
				err = w.f.Sync()
			}
		}
		w.mu.Lock()
		if err != nil && w.err == nil {
			w.err = fmt.Errorf("journal: %w", err)
		}
		w.kept = upTo
		w.synced.Broadcast()
		w.mu.Unlock()
	}
}

// Close syncs what was added and closes the file.
func (w *Writer) Close() error {
	err := w.Sync()
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return err
	}
	w.closed = true
	close(w.wake)
	w.mu.Unlock()
	w.done.Wait()
	if cerr := errors.Join(w.f.Close(), w.held.Close()); err == nil && cerr != nil {
		err = fmt.Errorf("journal: %w", cerr)
	}
	return err
}
