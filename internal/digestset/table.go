package digestset

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
)

const (
	probe = 16      // slots that one read takes
	least = 1 << 10 // slots of an empty table; a power of two, as always
	most  = 4 << 20 // bytes in memory
)

// table is a hash table. A slot is a digest and what belongs to it, which may
// be nothing: a table's slots are as wide as all those that it is asked about.
type table struct {
	dir    string
	memory uint64 // bytes that are in memory at most; 0: most

	mu    sync.Mutex
	store store
	slots uint64
	used  uint64
	buf   []byte // for find
}

// store is where the slots are.
type store interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// memory is a store in memory. Nothing reads or writes beyond its end.
type memory []byte

func (m memory) ReadAt(p []byte, at int64) (int, error)  { return copy(p, m[at:]), nil }
func (m memory) WriteAt(p []byte, at int64) (int, error) { return copy(m[at:], p), nil }
func (memory) Close() error                              { return nil }

// newStore is a store of zeros. A file goes away with its descriptor.
func (t *table) newStore(length uint64) (store, error) {
	if length <= cmp.Or(t.memory, most) {
		return make(memory, length), nil
	}
	f, err := os.CreateTemp(t.dir, "sluice-set-")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Remove(f.Name()), f.Truncate(int64(length))); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	random(f)
	return f, nil
}

// put makes sure that there is a slot with a digest. One that was found is read
// into slot; it becomes what is says, if that says something.
func (t *table) put(slot, is []byte) (found bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if 3*t.used >= 2*t.slots {
		if err := t.grow(len(slot)); err != nil {
			return false, err
		}
	}
	at, found, err := t.find(slot)
	if err != nil {
		return false, err
	}
	if !found {
		t.used++
	}
	switch {
	case is != nil:
		_, err = t.store.WriteAt(is, at)
	case !found:
		_, err = t.store.WriteAt(slot, at)
	}
	return found, err
}

// get reads the slot that has the digest of slot, if there is one.
func (t *table) get(slot []byte) (found bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slots == 0 {
		return false, nil
	}
	_, found, err = t.find(slot)
	return found, err
}

func (t *table) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slots == 0 {
		return nil
	}
	err := t.store.Close()
	t.store, t.slots, t.used = nil, 0, 0
	return err
}

// find is where the slot is that has the digest of slot, which it is read into,
// or the free one where that belongs. There always is a free one.
func (t *table) find(slot []byte) (at int64, found bool, err error) {
	var free digest
	width := uint64(len(slot))
	if t.buf == nil {
		t.buf = make([]byte, probe*width)
	}
	for i := t.home(slot); ; i %= t.slots {
		b := t.buf[:min(probe, t.slots-i)*width]
		if _, err := t.store.ReadAt(b, int64(i*width)); err != nil {
			return 0, false, err
		}
		for ; len(b) > 0; b, i = b[width:], i+1 {
			switch {
			case bytes.Equal(b[:size], slot[:size]):
				copy(slot, b)
				return int64(i * width), true, nil
			case bytes.Equal(b[:size], free[:]):
				return int64(i * width), false, nil
			}
		}
	}
}

// home is where the search for a digest begins. Digests that are near to each
// other have their homes near to each other, however many slots there are: a
// table that grows is copied from one end to the other.
func (t *table) home(slot []byte) uint64 {
	return binary.BigEndian.Uint64(slot) / (1 << 63 / t.slots * 2)
}
