package machine

import (
	"cmp"
	"slices"
)

// list is items in order. Taking one out costs the same wherever it is.
type list struct {
	head, tail *item
	n          int
}

func (l *list) add(it *item) {
	it.prev, it.next = l.tail, nil
	if l.tail == nil {
		l.head = it
	} else {
		l.tail.next = it
	}
	l.tail = it
	l.n++
}

func (l *list) remove(it *item) {
	if it.prev == nil {
		l.head = it.next
	} else {
		it.prev.next = it.next
	}
	if it.next == nil {
		l.tail = it.prev
	} else {
		it.next.prev = it.prev
	}
	it.prev, it.next = nil, nil
	l.n--
}

// heap is items by their time, then their serial, the earliest first. Each
// knows its slot, so that it can be taken out.
type heap []*item

const noSlot = -1

func (h *heap) before(i, j int) bool {
	x, y := (*h)[i], (*h)[j]
	if x.at != y.at {
		return x.at < y.at
	}
	return x.serial < y.serial
}

func (h *heap) swap(i, j int) {
	x, y := (*h)[i], (*h)[j]
	(*h)[i], (*h)[j] = y, x
	x.slot, y.slot = int32(j), int32(i)
}

func (h *heap) up(i int) {
	for i > 0 && h.before(i, (i-1)/2) {
		h.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (h *heap) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(*h); c++ {
			if h.before(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

func (h *heap) push(it *item) {
	it.slot = int32(len(*h))
	*h = append(*h, it)
	h.up(int(it.slot))
}

// remove takes an item out, if it is in.
func (h *heap) remove(it *item) {
	i, last := int(it.slot), len(*h)-1
	if i == noSlot {
		return
	}
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	it.slot = noSlot
	if i < last { // what came in its place may belong elsewhere
		h.down(i)
		h.up(i)
	}
}

// index finds items by their serials and walks them in that order. Serials
// grow, so that it is pages of neighbours, oldest first.
type index []*page

const pageItems = 256

type page struct {
	first uint64 // serial of its first item
	n     int
	items [pageItems]*item
}

func (x *index) find(serial uint64) (int, bool) {
	first := serial - serial%pageItems
	if len(*x) > 0 && first >= (*x)[0].first { // where it is if no page has gone
		if i := (first - (*x)[0].first) / pageItems; i < uint64(len(*x)) && (*x)[i].first == first {
			return int(i), true
		}
	}
	return slices.BinarySearchFunc(*x, first, func(p *page, f uint64) int { return cmp.Compare(p.first, f) })
}

func (x *index) get(serial uint64) *item {
	if i, ok := x.find(serial); ok {
		return (*x)[i].items[serial%pageItems]
	}
	return nil
}

func (x *index) set(it *item) {
	i, ok := x.find(it.serial)
	if !ok {
		*x = slices.Insert(*x, i, &page{first: it.serial - it.serial%pageItems})
	}
	p := (*x)[i]
	p.items[it.serial%pageItems] = it
	p.n++
}

func (x *index) drop(it *item) {
	i, ok := x.find(it.serial)
	if !ok {
		return
	}
	p := (*x)[i]
	p.items[it.serial%pageItems] = nil
	if p.n--; p.n == 0 {
		*x = slices.Delete(*x, i, i+1)
	}
}
