package console

import (
	"math"
	"slices"
	"time"
)

// outlook is what the time that a run takes yet is reckoned from. A rate alone
// is far off where it matters: before the first long items end, and when the
// last of them run on alone.
type outlook struct {
	took    []time.Duration // of attempts that ended
	running []RunningItem
	fresh   int     // items that run beside those, just begun
	waiting int64   // items that have not begun
	again   float64 // attempts that an item takes
	slots   int     // how many run at once
	// pace is items a second by the last paceOf of them, 0 if unknown.
	pace   float64
	paceOf int64
}

const (
	// leastPercent is the progress from which an item's end can be reckoned.
	leastPercent = 2
	// onwards is how much longer an item runs than it has when it has run for
	// longer than any other took, as a part of that. Of the values tried on
	// simulated runs this one is nearest to most of them.
	onwards = 1.0 / 3
	// maxDealt is how many waiting items are dealt out to the slots one by
	// one. Those before them keep all slots busy: their mean is enough.
	maxDealt = 1000
)

// left plays the rest of the run through: each running item ends when its own
// progress or the durations of others make it likely, and each waiting one
// begins when a slot is free. Delays before a retry are not in it. It is
// unknown until an item has ended or tells its progress.
func (o outlook) left() (time.Duration, bool) {
	d := o.spread()
	if d == nil {
		return 0, false
	}
	n := max(o.slots, len(o.running)+o.fresh, 1)
	free := make(slots, n) // when each slot is free, in seconds
	i := 0
	for _, r := range o.running {
		free[i] = d.rest(r, i, len(o.running))
		i++
	}
	for j := range o.fresh {
		free[i] = d.quantile(phase(j))
		i++
	}
	extra := o.overhead(d.mean(), n)
	waiting := float64(o.waiting) * max(o.again, 1)
	if bulk := waiting - maxDealt; bulk > 0 {
		for i := range free {
			free[i] += bulk * (d.mean() + extra) / float64(n)
		}
		waiting = maxDealt
	}
	slices.Sort(free)
	last := free[n-1]
	for j := range int(math.Round(waiting)) {
		free[0] += d.quantile(phase(o.fresh+j)) + extra
		last = max(last, free[0])
		free.sink()
	}
	if last > math.MaxInt64/float64(time.Second) {
		return 0, false
	}
	return time.Duration(math.Ceil(last)) * time.Second, true
}

// overhead is what an item costs a slot beside its own duration, as the pace
// shows it: a pause between starts, or the start of very short ones. A pace is
// trusted when it is that of many items; slots that were busy with one item all
// the while have no part in it.
func (o outlook) overhead(mean float64, n int) float64 {
	if o.pace <= 0 || o.paceOf < max(50, 3*int64(n)) {
		return 0
	}
	for _, r := range o.running {
		if r.For > rateWindow {
			n--
		}
	}
	return max(0, float64(n)/o.pace-mean)
}

// phase spreads any number of values evenly over 0 to 1, in an order that is
// always the same: the result must not flicker.
func phase(i int) float64 {
	const golden = 0.6180339887498949
	_, f := math.Modf(0.5 + float64(i)*golden)
	return f
}

// spread is how durations are distributed, in seconds: values in rising order,
// each with the share of all items that take that long or less.
type spread struct {
	values []float64
	upTo   []float64
}

// spread is made of the attempts that ended, of the running ones that tell
// their progress, and of what the others prove: that they take longer than
// they have run. (It is the estimate of Kaplan and Meier.) nil if nothing has
// ended and nothing tells its progress.
func (o outlook) spread() *spread {
	type point struct {
		v     float64
		ended bool
	}
	points := make([]point, 0, len(o.took)+len(o.running))
	for _, t := range o.took {
		points = append(points, point{t.Seconds(), true})
	}
	for _, r := range o.running {
		if total, ok := r.total(); ok {
			points = append(points, point{total, true})
		} else {
			points = append(points, point{r.For.Seconds(), false})
		}
	}
	slices.SortFunc(points, func(a, b point) int {
		switch {
		case a.v < b.v || a.v == b.v && a.ended && !b.ended:
			return -1
		case a.v == b.v && a.ended == b.ended:
			return 0
		}
		return 1
	})
	s := &spread{}
	longer := 1.0 // the share of items that take longer than what was seen so far
	for i, p := range points {
		if p.ended {
			longer *= 1 - 1/float64(len(points)-i)
			s.values, s.upTo = append(s.values, p.v), append(s.upTo, 1-longer)
		}
	}
	if len(s.values) == 0 {
		return nil
	}
	if longer > 0 { // those that have run for longer than any other took
		s.values, s.upTo = append(s.values, (1+onwards)*points[len(points)-1].v), append(s.upTo, 1)
	}
	return s
}

// quantile is the duration that a share u of all items does not exceed.
func (s *spread) quantile(u float64) float64 {
	i, _ := slices.BinarySearch(s.upTo, u)
	return s.values[min(i, len(s.values)-1)]
}

func (s *spread) mean() float64 {
	sum, before := 0.0, 0.0
	for i, v := range s.values {
		sum += v * (s.upTo[i] - before)
		before = s.upTo[i]
	}
	return sum
}

// rest is how long an item runs on, in seconds, by its own progress; else as
// long as the others that ran for so long did, of which the i-th of n gets the
// longer part the longer it has run; else by onwards.
func (s *spread) rest(r RunningItem, i, n int) float64 {
	age := r.For.Seconds()
	if total, ok := r.total(); ok {
		return max(0, total-age)
	}
	past := 0.0 // the share that ends before this age
	if k, _ := slices.BinarySearch(s.values, math.Nextafter(age, math.Inf(1))); k == len(s.values) {
		return onwards * age
	} else if k > 0 {
		past = s.upTo[k-1]
	}
	u := 1 - (float64(i)+0.5)/float64(n)
	return max(0, s.quantile(past+u*(1-past))-age)
}

// total is how long an item takes in all by its own progress. What it said
// last holds until it is late.
func (r RunningItem) total() (float64, bool) {
	if !r.Known || r.Percent < leastPercent {
		return 0, false
	}
	whole := 100 / min(r.Percent, 100)
	total := r.Said.Seconds() * whole
	if age := r.For.Seconds(); total < age {
		total = age * whole
	}
	return total, true
}

// slots is a heap of times, the first of which is the earliest.
type slots []float64

// sink puts the first time into its place after it has grown.
func (s slots) sink() {
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s); child++ {
			if s[child] < s[least] {
				least = child
			}
		}
		if least == i {
			return
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}
