package digestset

import (
	"errors"
	"io"
)

const (
	chunk = 1 << 12  // slots that a growing table copies at once
	view  = 64 << 10 // bytes of the larger one that it has in sight meanwhile
)

// grow doubles the slots.
func (t *table) grow(width int) error {
	old, slots := t.store, t.slots
	double := max(2*slots, least)
	larger, err := t.newStore(double * uint64(width))
	if err != nil {
		return err
	}
	t.store, t.slots = larger, double
	if slots == 0 {
		return nil
	}
	w := &window{store: larger}
	t.store = w
	b := make([]byte, min(chunk, slots)*uint64(width))
	for at := uint64(0); at < slots*uint64(width) && err == nil; at += uint64(len(b)) {
		if _, err = old.ReadAt(b, int64(at)); err == nil {
			err = t.copy(b, width)
		}
	}
	t.store = larger
	return errors.Join(err, w.flush(), old.Close())
}

// copy puts what old slots have into new ones.
func (t *table) copy(slots []byte, width int) error {
	var free digest
	for ; len(slots) > 0; slots = slots[width:] {
		slot := slots[:width]
		if digest(slot[:size]) == free {
			continue
		}
		at, _, err := t.find(slot)
		if err == nil {
			_, err = t.store.WriteAt(slot, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// window is a store that is gone through from one end to the other, with the
// part of it in memory where that has come to: a file is read and written a
// part at a time, not a slot.
type window struct {
	store
	at      int64
	b       []byte
	changed bool
}

// ReadAt implements io.ReaderAt.
func (w *window) ReadAt(p []byte, at int64) (int, error) {
	if err := w.show(at, len(p)); err != nil {
		return 0, err
	}
	return copy(p, w.b[at-w.at:]), nil
}

// WriteAt implements io.WriterAt.
func (w *window) WriteAt(p []byte, at int64) (int, error) {
	if err := w.show(at, len(p)); err != nil {
		return 0, err
	}
	w.changed = true
	return copy(w.b[at-w.at:], p), nil
}

// show moves the window to where n bytes are wanted. It leaves some before them
// in sight, since neighbours do not come in order.
func (w *window) show(at int64, n int) error {
	if at >= w.at && at+int64(n) <= w.at+int64(len(w.b)) {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	if w.b == nil {
		w.b = make([]byte, view)
	}
	w.at = max(0, at-view/8)
	n, err := w.store.ReadAt(w.b[:view], w.at)
	w.b = w.b[:n]
	if errors.Is(err, io.EOF) { // the store ends in sight
		err = nil
	}
	return err
}

// flush writes the part that is in sight.
func (w *window) flush() error {
	if !w.changed {
		return nil
	}
	w.changed = false
	_, err := w.store.WriteAt(w.b, w.at)
	return err
}
