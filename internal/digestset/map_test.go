package digestset

import (
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func newMap(t testing.TB, inMemory uint64) *Map {
	t.Helper()
	m := NewMap(t.TempDir())
	m.table.memory = inMemory * uint64(len(mapSlot{}))
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// A map says what one of Go's says, in memory, in a file and on the way there.
func TestMapIsAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMap(t, rapid.SampledFrom([]uint64{least / 2, least, 2 * least, 8 * least}).Draw(rt, "slots in memory"))
		model := make(map[string]uint64)
		strs := rapid.IntRange(1, 6*least).Draw(rt, "strings")
		for i := range rapid.IntRange(1, 6*least).Draw(rt, "puts") {
			str, n := strconv.Itoa(i*i%strs), uint64(i)
			want, wantHad := model[str]
			if old, had, err := m.Put(str, n); err != nil || old != want || had != wantHad {
				rt.Fatalf("put of %q: before it %d, %t, %v, want %d, %t", str, old, had, err, want, wantHad)
			}
			model[str] = n
		}
		if n := m.Len(); n != len(model) {
			rt.Fatalf("%d strings, want %d", n, len(model))
		}
		for i := range strs {
			str := strconv.Itoa(i)
			want, wantHas := model[str]
			if n, has, err := m.Get(str); err != nil || n != want || has != wantHas {
				rt.Fatalf("%q: %d, %t, %v, want %d, %t", str, n, has, err, want, wantHas)
			}
		}
		if err := m.Close(); err != nil {
			rt.Fatal(err)
		}
		if n, has, err := m.Get("0"); err != nil || has || n != 0 {
			rt.Fatalf("a closed map has %d, %t, %v", n, has, err)
		}
	})
}

func TestMapGoesOnInAFile(t *testing.T) {
	m := newMap(t, 4*least)
	for i := range uint64(8 * least) {
		str := strconv.FormatUint(i, 10)
		if _, had, err := m.Put(str, ^i); err != nil || had {
			t.Fatal(had, err)
		}
	}
	if _, ok := m.table.store.(*os.File); !ok {
		t.Fatalf("%d strings are in %T", 8*least, m.table.store)
	}
	if names, err := os.ReadDir(m.table.dir); err != nil || len(names) > 0 {
		t.Errorf("the folder has %v, %v", names, err)
	}
	for i := range uint64(8 * least) {
		if n, has, err := m.Get(strconv.FormatUint(i, 10)); err != nil || !has || n != ^i {
			t.Fatalf("%d: %d, %t, %v", i, n, has, err)
		}
	}
}

// However many strings there are, what is in memory stays within the bound.
func TestMemoryIsBounded(t *testing.T) {
	for _, width := range []int{size, len(mapSlot{})} {
		var held uint64
		s := table{dir: t.TempDir()}
		for slots := uint64(least); ; slots *= 2 {
			st, err := s.newStore(slots * uint64(width))
			if err != nil {
				t.Fatal(err)
			}
			m, ok := st.(memory)
			if !ok {
				if err := st.Close(); err != nil {
					t.Error(err)
				}
				break
			}
			held = uint64(len(m))
		}
		if least := uint64(1 << 21); held < least || held+held/2 > 6<<20 {
			t.Errorf("slots of %d bytes: %d bytes are in memory before a file is used", width, held)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	m := NewMap(b.TempDir())
	defer m.Close()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, _, err := m.Put(strconv.Itoa(i), uint64(i)); err != nil {
			b.Fatal(err)
		}
	}
}
