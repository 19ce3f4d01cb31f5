package digestset

import (
	"encoding/binary"
	"fmt"
)

// Map keeps a number for each of its strings. It is safe for concurrent use. A
// string takes 36 to 72 bytes: of memory up to 87,000 strings, of a folder from
// there on. The zero value is an empty map that uses os.TempDir().
type Map struct{ table table }

// NewMap is an empty map that goes on in a file in the folder dir.
func NewMap(dir string) *Map { return &Map{table{dir: dir}} }

// Put gives a string a number, and tells which it had before. After an error it
// may have either.
func (m *Map) Put(str string, n uint64) (old uint64, had bool, err error) {
	var was, is mapSlot
	d := digestOf(str)
	copy(was[:], d[:])
	copy(is[:], d[:])
	binary.LittleEndian.PutUint64(is[size:], n)
	if had, err = m.table.put(was[:], is[:]); err != nil {
		return 0, false, fmt.Errorf("digestset: %w", err)
	}
	return was.number(), had, nil
}

// Get is a string's number, if it has one.
func (m *Map) Get(str string) (n uint64, has bool, err error) {
	var s mapSlot
	d := digestOf(str)
	copy(s[:], d[:])
	if has, err = m.table.get(s[:]); err != nil {
		return 0, false, fmt.Errorf("digestset: %w", err)
	}
	return s.number(), has, nil
}

// Len is how many strings have a number.
func (m *Map) Len() int {
	m.table.mu.Lock()
	defer m.table.mu.Unlock()
	return int(m.table.used)
}

// Close gives the file back, if there is one. The map is empty then.
func (m *Map) Close() error { return m.table.close() }

// mapSlot is a digest and its number.
type mapSlot [size + 8]byte

func (s *mapSlot) number() uint64 { return binary.LittleEndian.Uint64(s[size:]) }
