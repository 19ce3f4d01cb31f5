package job

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// indexes is a set of completion indexes as ordered spans with gaps between
// them, which is how a Job's status writes it: 0,2-5,7.
type indexes []span

type span struct{ first, last int }

// at is the position of the first span that does not end before i.
func (s indexes) at(i int) int {
	return sort.Search(len(s), func(k int) bool { return s[k].last >= i })
}

func (s indexes) has(i int) bool {
	k := s.at(i)
	return k < len(s) && s[k].first <= i
}

// after is the first index from i on that is not in the set.
func (s indexes) after(i int) int {
	if k := s.at(i); k < len(s) && s[k].first <= i {
		return s[k].last + 1
	}
	return i
}

// add is the set with i. It may have the memory of s, which is spent.
func (s indexes) add(i int) indexes {
	k := s.at(i)
	if k < len(s) && s[k].first <= i {
		return s
	}
	joinsLeft := k > 0 && s[k-1].last == i-1
	joinsRight := k < len(s) && s[k].first == i+1
	switch {
	case joinsLeft && joinsRight:
		s[k-1].last = s[k].last
		return slices.Delete(s, k, k+1)
	case joinsLeft:
		s[k-1].last = i
	case joinsRight:
		s[k].first = i
	default:
		return slices.Insert(s, k, span{i, i})
	}
	return s
}

func (s indexes) len() int {
	n := 0
	for _, sp := range s {
		n += sp.last - sp.first + 1
	}
	return n
}

// common counts what is in both.
func (s indexes) common(o indexes) int {
	n := 0
	for i, j := 0, 0; i < len(s) && j < len(o); {
		n += max(0, min(s[i].last, o[j].last)-max(s[i].first, o[j].first)+1)
		if s[i].last < o[j].last {
			i++
		} else {
			j++
		}
	}
	return n
}

func (s indexes) String() string {
	var parts []string
	for _, sp := range s {
		switch sp.last - sp.first {
		case 0:
			parts = append(parts, strconv.Itoa(sp.first))
		case 1:
			parts = append(parts, strconv.Itoa(sp.first), strconv.Itoa(sp.last))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d", sp.first, sp.last))
		}
	}
	return strings.Join(parts, ",")
}

// parseIndexes reads what String writes, with indexes below n.
func parseIndexes(text string, n int) (indexes, error) {
	var s indexes
	next := 0 // the least that may follow
	for part := range strings.SplitSeq(text, ",") {
		low, high, isSpan := strings.Cut(part, "-")
		if !isSpan {
			high = low
		}
		first, err := strconv.Atoi(low)
		last, err2 := strconv.Atoi(high)
		if err != nil || err2 != nil || first < next || last < first || last >= n {
			return nil, fmt.Errorf("%q: want growing indexes and spans such as 0,2-5 below the completions, %d", part, n)
		}
		s = append(s, span{first, last})
		next = last + 1
	}
	return s, nil
}
