package worker

import (
	"slices"
	"testing"
	"time"
)

// shares has members that always want one more slot use a pool for so long, in
// turns of their own length, and returns the slot time that each had.
func shares(t *testing.T, slots int, weights []int, turns []time.Duration, total time.Duration) []time.Duration {
	t.Helper()
	type using struct {
		slot int
		m    int
		end  time.Duration
	}
	p := newPool(slots)
	var members []*member
	for _, w := range weights {
		members = append(members, p.join(w, slots))
	}
	had := make([]time.Duration, len(weights))
	var busy []using
	now := time.Duration(0)
	for now < total {
		for i, m := range members {
			got, _ := p.turn(m, now, 0, nil, slots)
			for _, slot := range got {
				busy = append(busy, using{slot, i, now + turns[i]})
				had[i] += turns[i]
			}
		}
		if len(busy) != slots {
			t.Fatalf("%d of %d slots are in use though all are wanted", len(busy), slots)
		}
		slices.SortStableFunc(busy, func(a, b using) int { return int(a.end - b.end) })
		first := busy[0]
		busy, now = busy[1:], first.end
		got, _ := p.turn(members[first.m], now, 0, []int{first.slot}, slots)
		for _, slot := range got {
			busy = append(busy, using{slot, first.m, now + turns[first.m]})
			had[first.m] += turns[first.m]
		}
	}
	return had
}

func TestSharesOfAPoolAreByWeight(t *testing.T) {
	for name, test := range map[string]struct {
		slots   int
		weights []int
		turns   []time.Duration
	}{
		"alike":                            {4, []int{1, 1}, []time.Duration{time.Second, time.Second}},
		"one slot":                         {1, []int{3, 1}, []time.Duration{time.Second, time.Second}},
		"one slot, long and short turns":   {1, []int{1, 1}, []time.Duration{50 * time.Millisecond, time.Second}},
		"many slots, long and short turns": {10, []int{1, 4}, []time.Duration{50 * time.Millisecond, 3 * time.Second}},
		"three":                            {6, []int{3, 2, 1}, []time.Duration{time.Second, 2 * time.Second, 300 * time.Millisecond}},
		"far apart":                        {2, []int{100, 1}, []time.Duration{100 * time.Millisecond, 100 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			const total = 10 * time.Minute
			had := shares(t, test.slots, test.weights, test.turns, total)
			sum := 0
			for _, w := range test.weights {
				sum += w
			}
			for i, w := range test.weights {
				want := float64(total) * float64(test.slots*w) / float64(sum)
				if off := (float64(had[i]) - want) / float64(total) / float64(test.slots); off < -0.03 || off > 0.03 {
					t.Errorf("a member of weight %d had %s, want about %s", w, had[i], time.Duration(want))
				}
			}
		})
	}
}

func TestAPoolKeepsToTheLimits(t *testing.T) {
	p := newPool(4)
	a, b := p.join(1, 2), p.join(1, 4)
	gotA, _ := p.turn(a, 0, 0, nil, 4)
	gotB, _ := p.turn(b, 0, 0, nil, 4)
	if len(gotA) != 2 || len(gotB) != 2 {
		t.Errorf("members limited to 2 and 4 got %d and %d of 4 slots, want 2 each", len(gotA), len(gotB))
	}
	seen := append(slices.Clone(gotA), gotB...)
	slices.Sort(seen)
	if !slices.Equal(seen, []int{1, 2, 3, 4}) {
		t.Errorf("slots %v, want each of 1 to 4 once", seen)
	}
}

func TestWhatAMemberLearnsOfTheOthers(t *testing.T) {
	p := newPool(2)
	a, b := p.join(1, 1), p.join(1, 2)
	know := func(when string, m *member, busy, wants int, want crowd) {
		t.Helper()
		if _, got := p.turn(m, 0, busy, nil, wants); got != want {
			t.Errorf("%s: %+v, want %+v", when, got, want)
		}
	}
	know("nobody has anything", a, 0, 0, crowd{room: true})
	know("one has the most that it may", a, 0, 1, crowd{})
	know("the other takes the last", b, 0, 1, crowd{room: true})
	know("and has a handler in it", b, 1, 0, crowd{room: true})
	know("now the first has one too", a, 1, 1, crowd{})
	know("all have handlers", b, 1, 1, crowd{full: true})
	know("one wants what it may not have, the other waits", a, 1, 0, crowd{queue: true})
	if len(b.wake) != 1 {
		t.Error("a member was not told when the last slot got a handler")
	}
}

func TestAWaitingMemberIsWokenWithItsSlot(t *testing.T) {
	p := newPool(1)
	a, b := p.join(1, 1), p.join(1, 1)
	slot, _ := p.turn(a, 0, 0, nil, 1)
	if got, _ := p.turn(b, 0, 0, nil, 1); len(got) != 0 {
		t.Fatalf("both have slot %v", got)
	}
	for len(b.wake) > 0 {
		<-b.wake
	}
	p.leave(a, time.Second, slot)
	if len(b.wake) != 1 {
		t.Error("the member that waits was not woken")
	}
	if got, _ := p.turn(b, time.Second, 0, nil, 1); !slices.Equal(got, slot) {
		t.Errorf("it got %v, want %v", got, slot)
	}
}

func TestIdleTimeSavesUpLittle(t *testing.T) {
	p := newPool(1)
	a, b := p.join(1, 1), p.join(1, 1)
	held, _ := p.turn(a, 0, 0, nil, 1)
	now := 24 * time.Hour // a has worked for a day, b had nothing to do
	p.turn(b, now, 0, nil, 1)
	holder, alone := a, time.Duration(0)
	for range 100 {
		now += time.Second
		if holder == b {
			alone += time.Second
		}
		got, _ := p.turn(holder, now, 0, held, 1)
		if len(got) == 0 {
			if holder == a {
				holder = b
			} else {
				holder = a
			}
			got, _ = p.turn(holder, now, 0, nil, 1)
		} else if holder == b && alone > 10*time.Second && now < 24*time.Hour+12*time.Second {
			t.Fatal("the one that was idle has had the slot alone for more than ten seconds")
		}
		held = got
	}
	if alone < 45*time.Second || alone > 60*time.Second {
		t.Errorf("of 100 s the one that was idle had %s, want about half", alone)
	}
}
