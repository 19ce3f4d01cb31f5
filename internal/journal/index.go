package journal

import (
	"errors"
	"slices"

	"sluice.dev/internal/digestset"
)

// index tells where the entries stand that count, by the ids of their items.
type index struct {
	states    *digestset.Map // the place of the entry that made an item what it is
	committed *digestset.Map // where an item's last record begins
}

// place is where a line begins, and the kind of its entry: what became of an
// item can be told without reading it.
type place uint64

var kinds = []Kind{Committed, Done, Dead}

func placeOf(at int64, k Kind) place {
	return place(at)<<2 | place(slices.Index(kinds, k))
}

func (p place) at() int64  { return int64(p >> 2) }
func (p place) kind() Kind { return kinds[p&3] }

func newIndex(dir string) *index {
	return &index{states: digestset.NewMap(dir), committed: digestset.NewMap(dir)}
}

func (x *index) close() error { return errors.Join(x.states.Close(), x.committed.Close()) }

// state is the place of the entry that tells what has become of an item.
func (x *index) state(id string) (p place, known bool, err error) {
	n, known, err := x.states.Get(id)
	return place(n), known, err
}

// add takes an entry that is later than all those before. It tells whether the
// entry says anything.
func (x *index) add(e Entry, at int64) (counts bool, err error) {
	switch e.Kind {
	case Done, Dead:
		_, _, err = x.states.Put(e.ID, uint64(placeOf(at, e.Kind)))
		return true, err
	case Committed:
		if _, _, err = x.committed.Put(e.ID, uint64(at)); err != nil {
			return true, err
		}
		p, known, err := x.state(e.ID)
		if err == nil && (!known || p.kind() == Dead) { // begun, or begun again
			_, _, err = x.states.Put(e.ID, uint64(placeOf(at, Committed)))
		}
		return true, err
	}
	return false, nil
}

// counting is how many entries count, or a few more: one may make an item what
// it is and be its last record too.
func (x *index) counting() int { return x.states.Len() + x.committed.Len() }

// move changes where an entry stands, if that is one that counts.
func (x *index) move(e Entry, from, to int64) (counts bool, err error) {
	p, known, err := x.state(e.ID)
	if err == nil && known && p == placeOf(from, e.Kind) {
		counts = true
		_, _, err = x.states.Put(e.ID, uint64(placeOf(to, e.Kind)))
	}
	if err != nil || e.Kind != Committed {
		return counts, err
	}
	at, _, err := x.committed.Get(e.ID)
	if err == nil && int64(at) == from {
		counts = true
		_, _, err = x.committed.Put(e.ID, uint64(to))
	}
	return counts, err
}
