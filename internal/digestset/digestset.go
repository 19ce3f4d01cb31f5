// Package digestset is a set that needs 6 MiB of memory at the most, for ten
// million strings as for a hundred thousand: a hash table of their digests,
// which goes on in a file without a name.
package digestset

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// digest stands for a string in half of SHA-256: too long to collide by
// chance. All zeros are a slot that is free.
type digest [size]byte

const (
	size  = 16
	probe = 16       // slots that one read takes
	least = 1 << 10  // slots of an empty set; a power of two, as always
	most  = 1 << 18  // slots in memory
	chunk = 64 << 10 // bytes that a growing set copies at once
)

// Set is a set of strings. It is safe for concurrent use. A string takes 24 to
// 48 bytes: of memory up to 170,000 strings, of the folder dir from there on.
// The zero value is an empty set that uses os.TempDir().
type Set struct {
	dir    string
	memory uint64 // slots that are in memory at most; 0: most

	mu    sync.Mutex
	table table
	slots uint64
	used  uint64
	buf   [probe * size]byte
}

// table is where the slots are.
type table interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

// memory is a table in memory. Nothing reads or writes beyond its end.
type memory []byte

func (m memory) ReadAt(p []byte, at int64) (int, error)  { return copy(p, m[at:]), nil }
func (m memory) WriteAt(p []byte, at int64) (int, error) { return copy(m[at:], p), nil }
func (memory) Close() error                              { return nil }

// newTable is a table of free slots. A file goes away with its descriptor.
func (s *Set) newTable(slots uint64) (table, error) {
	if slots <= cmp.Or(s.memory, most) {
		return make(memory, slots*size), nil
	}
	f, err := os.CreateTemp(s.dir, "sluice-set-")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Remove(f.Name()), f.Truncate(int64(slots*size))); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Add puts s into the set, and tells whether it was not there before. After an
// error it may be there or not.
func (s *Set) Add(str string) (added bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if 3*s.used >= 2*s.slots {
		if err := s.grow(); err != nil {
			return false, fmt.Errorf("digestset: %w", err)
		}
	}
	d := digestOf(str)
	slot, found, err := s.find(d)
	if err == nil && !found {
		_, err = s.table.WriteAt(d[:], int64(slot*size))
		s.used++
	}
	if err != nil {
		return false, fmt.Errorf("digestset: %w", err)
	}
	return !found, nil
}

// Has tells whether s is in the set.
func (s *Set) Has(str string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots == 0 {
		return false, nil
	}
	_, found, err := s.find(digestOf(str))
	if err != nil {
		return false, fmt.Errorf("digestset: %w", err)
	}
	return found, nil
}

// Close gives the file back, if there is one. The set is empty then.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots == 0 {
		return nil
	}
	err := s.table.Close()
	s.table, s.slots, s.used = nil, 0, 0
	return err
}

func digestOf(str string) digest {
	sum := sha256.Sum256([]byte(str))
	return digest(sum[:size])
}

// find is the slot that has d, or the free one where it belongs. There always
// is a free one.
func (s *Set) find(d digest) (slot uint64, found bool, err error) {
	var free digest
	for slot = s.home(d); ; {
		n := min(probe, s.slots-slot)
		b := s.buf[:n*size]
		if _, err := s.table.ReadAt(b, int64(slot*size)); err != nil {
			return 0, false, err
		}
		for ; len(b) > 0; b, slot = b[size:], slot+1 {
			switch {
			case bytes.Equal(b[:size], d[:]):
				return slot, true, nil
			case bytes.Equal(b[:size], free[:]):
				return slot, false, nil
			}
		}
		slot %= s.slots
	}
}

// home is where the search for d begins. Digests that are near to each other
// have their homes near to each other, however many slots there are: a set that
// grows is copied from one end to the other.
func (s *Set) home(d digest) uint64 {
	return binary.BigEndian.Uint64(d[:]) / (1 << 63 / s.slots * 2)
}

// grow doubles the slots.
func (s *Set) grow() error {
	old, slots := s.table, s.slots
	double := max(2*slots, least)
	larger, err := s.newTable(double)
	if err != nil {
		return err
	}
	s.table, s.slots = larger, double
	if slots == 0 {
		return nil
	}
	b := make([]byte, min(chunk, slots*size))
	for at := uint64(0); at < slots*size && err == nil; at += uint64(len(b)) {
		if _, err = old.ReadAt(b, int64(at)); err == nil {
			err = s.copy(b)
		}
	}
	return errors.Join(err, old.Close())
}

// copy puts the digests of old slots into new ones.
func (s *Set) copy(slots []byte) error {
	var free digest
	for ; len(slots) > 0; slots = slots[size:] {
		d := digest(slots[:size])
		if d == free {
			continue
		}
		slot, _, err := s.find(d)
		if err == nil {
			_, err = s.table.WriteAt(d[:], int64(slot*size))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
