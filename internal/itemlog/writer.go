package itemlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"sluice.dev/queue"
)

// Writer keeps the attempts of one process. It is safe for concurrent use.
type Writer struct {
	dir   string
	limit int64

	mu   sync.Mutex
	open map[string]*Log // attempts that have begun and not ended, by their files' name
}

// NewWriter keeps attempts in a folder, which it makes if need be, and at most
// limit bytes of each: its first and its last. While an attempt runs all that
// it writes is there. A limit of 0 is DefaultLimit.
func NewWriter(dir string, limit int64) (*Writer, error) {
	if limit == 0 {
		limit = DefaultLimit
	}
	if limit < MinLimit || limit > MaxLimit {
		return nil, fmt.Errorf("item log: limit of %d bytes: %d to %d are allowed", limit, MinLimit, MaxLimit)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("item log: %w", err)
	}
	return &Writer{dir: dir, limit: limit, open: make(map[string]*Log)}, nil
}

// Log is an attempt that has begun.
type Log struct {
	Stdout, Stderr *os.File // empty, open for reading and appending

	entry Entry
	item  *os.File // holds the lock
}

// Begin begins an attempt. End must be called for it, also after an error.
func (w *Writer) Begin(h Head) (*Log, error) {
	l, err := w.begin(h)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.open[l.entry.name] = l
	w.mu.Unlock()
	const how = os.O_RDWR | os.O_APPEND | os.O_CREATE | os.O_EXCL
	if l.Stdout, err = os.OpenFile(l.entry.path(outSuffix), how, 0o600); err != nil {
		return nil, fmt.Errorf("item log: %w", err)
	}
	if l.Stderr, err = os.OpenFile(l.entry.path(errSuffix), how, 0o600); err != nil {
		return nil, fmt.Errorf("item log: %w", errors.Join(err, l.Stdout.Close()))
	}
	return l, nil
}

// begin writes down what an attempt is.
func (w *Writer) begin(h Head) (*Log, error) {
	h.Text, h.Limit = text(h.Text), w.limit
	head, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("item log: %w", err)
	}
	l := &Log{entry: Entry{Head: h, dir: w.dir, name: fileName(h.Token, h.ID)}}
	if l.item, err = os.OpenFile(l.entry.path(itemSuffix), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, fmt.Errorf("item log: %w", err)
	}
	if err := hold(l.item); err != nil {
		return nil, fmt.Errorf("item log: lock %s: %w", l.item.Name(), errors.Join(err, l.item.Close()))
	}
	if _, err := l.item.Write(append(head, '\n')); err != nil {
		return nil, fmt.Errorf("item log: %w", errors.Join(err, l.item.Close()))
	}
	return l, nil
}

// Close closes the outputs and cuts what is too much out of them. The attempt
// goes on until its End.
func (l *Log) Close() error {
	err := errors.Join(l.Stdout.Close(), l.Stderr.Close())
	if err := errors.Join(err, l.entry.cut()); err != nil {
		return fmt.Errorf("item log: %w", err)
	}
	return nil
}

// End ends an attempt, after its Close, with the error that its settlement met
// if any. One that never began is kept too, so that its end can be read.
func (w *Writer) End(h Head, s queue.Settlement, settled error) error {
	name := fileName(h.Token, h.ID)
	w.mu.Lock()
	l := w.open[name]
	delete(w.open, name)
	w.mu.Unlock()
	if l == nil {
		var err error
		if l, err = w.begin(h); err != nil {
			return err
		}
	}
	end, err := json.Marshal(End{
		At: time.Now(), Verb: s.Verb.String(), Cause: s.Failure.Cause, Message: s.Failure.Message, Lost: settled != nil,
	})
	if err == nil {
		_, err = l.item.Write(append(end, '\n'))
	}
	if err = errors.Join(err, l.item.Close()); err != nil {
		return fmt.Errorf("item log: %w", err)
	}
	return nil
}
