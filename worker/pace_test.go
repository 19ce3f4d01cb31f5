package worker

import (
	"slices"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		took  []time.Duration
		slots int
		want  int
	}{
		{nil, 4, 4},
		{[]time.Duration{time.Second}, 4, 4},
		{[]time.Duration{50 * ms}, 4, 4},
		{[]time.Duration{25 * ms}, 4, 8},
		{[]time.Duration{ms}, 4, 200},
		{[]time.Duration{0}, 4, 4 * maxAhead},
		{[]time.Duration{0}, 500, 500 + maxAheadInAll},
		// One long item ends it at once, short ones bring it back in time.
		{[]time.Duration{ms, ms, time.Second}, 4, 4},
		{append(slices.Repeat([]time.Duration{0}, 8), 80*ms), 4, 20},
		{append([]time.Duration{80 * ms}, slices.Repeat([]time.Duration{0}, 8)...), 4, 4},
		{append([]time.Duration{80 * ms}, slices.Repeat([]time.Duration{0}, 12)...), 4, 12},
	} {
		var p pace
		for _, d := range test.took {
			p.add(d)
		}
		if got := p.leases(test.slots); got != test.want {
			t.Errorf("after %v: %d leases for %d slots, want %d", test.took, got, test.slots, test.want)
		}
	}
}
