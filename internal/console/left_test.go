package console

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// trace is a run that went as it did: items of these durations, in seconds, in
// so many slots, the next one in the slot that is free first.
type trace struct {
	took    []float64
	slots   int
	percent bool // items tell their own progress
}

// lap is when an item ran.
type lap struct{ from, to float64 }

func (tr trace) laps() (laps []lap, end float64) {
	free := make([]float64, tr.slots)
	for _, t := range tr.took {
		i := slices.Index(free, slices.Min(free))
		laps = append(laps, lap{free[i], free[i] + t})
		free[i] += t
	}
	return laps, slices.Max(free)
}

// errors are how far off the time left was on average over a whole run, as a
// part of the time that the run took: by the durations, and by the rate alone.
// What is unknown says that nothing is left. Only moments count at which the
// rate is known.
func (tr trace) errors() (byDurations, byRate float64) {
	laps, end := tr.laps()
	start := time.Now()
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	ends := slices.Clone(laps)
	slices.SortFunc(ends, func(a, b lap) int { return cmp.Compare(a.to, b.to) })
	var m meter
	m.add(start, 0)
	var o outlook
	n, moments := 0, 0
	const looks = 50
	for k := 1; k < looks; k++ {
		now := end * float64(k) / looks
		for ; n < len(ends) && ends[n].to <= now; n++ {
			m.add(at(ends[n].to), int64(n+1))
			o.took = append(o.took, time.Duration((ends[n].to-ends[n].from)*float64(time.Second)))
		}
		o.took = o.took[max(0, len(o.took)-maxTook):]
		o.running, o.waiting, o.fresh, o.slots = nil, 0, 0, tr.slots
		for _, l := range laps {
			switch age := now - l.from; {
			case age < 0:
				o.waiting++
			case age < 1 && l.to > now:
				o.fresh++
			case l.to > now:
				r := RunningItem{For: time.Duration(age * float64(time.Second)), Known: tr.percent}
				r.Percent, r.Said = 100*age/(l.to-l.from), r.For
				o.running = append(o.running, r)
			}
		}
		slices.SortFunc(o.running, func(a, b RunningItem) int { return cmp.Compare(b.For, a.For) })
		rate, known := m.perSecond(at(now))
		if !known {
			continue
		}
		o.pace, o.paceOf = rate, m.grown()
		moments++
		left, _ := o.left()
		byDurations += math.Abs(left.Seconds() - (end - now))
		byRate += math.Abs(float64(len(laps)-n)/rate - (end - now))
	}
	return byDurations / float64(moments) / end, byRate / float64(moments) / end
}

// The time left is nearer to the truth than what the rate says, most of all
// when some items take much longer than the others. It is no prophet: one such
// item that nothing announces makes it as wrong as the rate, or more.
func TestTimeLeftBeatsTheRate(t *testing.T) {
	around := func(sigma float64) func(*rand.Rand, int) float64 {
		return func(r *rand.Rand, _ int) float64 { return 20 * math.Exp(sigma*r.NormFloat64()) }
	}
	except := func(which, took float64) func(*rand.Rand, int) float64 {
		return func(r *rand.Rand, i int) float64 {
			if float64(i) == which {
				return took
			}
			return around(0.1)(r, i)
		}
	}
	for _, tt := range []struct {
		name     string
		n, slots int
		percent  bool
		took     func(r *rand.Rand, i int) float64
		most     float64 // times the error of the rate
	}{
		{"alike", 200, 8, false, around(0.05), 0.2},
		{"a tail", 200, 8, false, around(1), 0.9},
		{"a long tail", 200, 8, false, around(1.5), 0.95},
		{"each 20th takes 15 times as long", 200, 8, false, func(r *rand.Rand, i int) float64 {
			if i%20 == 19 {
				return 15 * around(0.2)(r, i)
			}
			return around(0.2)(r, i)
		}, 0.7},
		{"few and long", 12, 4, false, func(r *rand.Rand, _ int) float64 { return 3000 + 600*r.Float64() }, 0.3},
		{"a long tail that tells its progress", 200, 8, true, around(1.5), 0.4},
		{"few that tell their progress", 6, 4, true, around(0.5), 0.3},
		{"many short", 5000, 4, false, func(r *rand.Rand, _ int) float64 { return 0.05 + 0.01*r.Float64() }, 1},
		{"a surprise at the end", 100, 4, false, except(99, 600), 1.1},
		{"a surprise at the start", 100, 4, false, except(0, 600), 2.5},
	} {
		const runs = 5
		var got, rate float64
		for seed := range uint64(runs) {
			random := rand.New(rand.NewPCG(seed, 1))
			tr := trace{slots: tt.slots, percent: tt.percent}
			for i := range tt.n {
				tr.took = append(tr.took, tt.took(random, i))
			}
			d, r := tr.errors()
			got, rate = got+d/runs, rate+r/runs
		}
		t.Logf("%-36s off by %4.1f%% of the run, by the rate %5.1f%%", tt.name, 100*got, 100*rate)
		const exact = 0.02 // is near enough, whatever the rate says
		if got > max(exact, tt.most*rate) {
			t.Errorf("%s: off by %.3f of the run, which is %.2f of what the rate is: at most %.2f is allowed", tt.name, got, got/rate, tt.most)
		}
	}
}

func TestTimeLeft(t *testing.T) {
	seconds := func(s ...float64) (ds []time.Duration) {
		for _, v := range s {
			ds = append(ds, time.Duration(v*float64(time.Second)))
		}
		return ds
	}
	running := func(age, percent float64) RunningItem {
		return RunningItem{For: seconds(age)[0], Percent: percent, Known: percent >= 0, Said: seconds(age)[0]}
	}
	const unknown = -1
	for name, tt := range map[string]struct {
		o    outlook
		want float64
	}{
		"nothing is known":               {outlook{waiting: 5, slots: 2}, unknown},
		"nothing has ended":              {outlook{running: []RunningItem{running(50, unknown)}, slots: 2}, unknown},
		"one tells its progress":         {outlook{running: []RunningItem{running(50, 25)}, slots: 2}, 150},
		"it said so a while ago":         {outlook{running: []RunningItem{{For: seconds(15)[0], Percent: 50, Known: true, Said: seconds(10)[0]}}, slots: 2}, 5},
		"and is late":                    {outlook{running: []RunningItem{{For: seconds(25)[0], Percent: 50, Known: true, Said: seconds(10)[0]}}, slots: 2}, 25},
		"too little of it":               {outlook{running: []RunningItem{running(50, 1)}, slots: 2}, unknown},
		"and others wait":                {outlook{running: []RunningItem{running(50, 50)}, waiting: 3, slots: 2}, 200},
		"all of it":                      {outlook{running: []RunningItem{running(50, 100)}, slots: 1}, 0},
		"three times two":                {outlook{took: seconds(10, 10), waiting: 6, slots: 2}, 30},
		"one too many":                   {outlook{took: seconds(10, 10), waiting: 7, slots: 2}, 40},
		"half done":                      {outlook{took: seconds(10, 10), running: []RunningItem{running(5, unknown)}, slots: 2}, 5},
		"just begun":                     {outlook{took: seconds(10), fresh: 2, slots: 2}, 10},
		"longer than any other took":     {outlook{took: seconds(10), running: []RunningItem{running(60, unknown)}, slots: 2}, 20},
		"each takes two attempts":        {outlook{took: seconds(10, 10), waiting: 2, again: 2, slots: 1}, 40},
		"the pace is slower":             {outlook{took: seconds(1), waiting: 100, slots: 4, pace: 0.5, paceOf: 60}, 200},
		"of few, it proves nothing":      {outlook{took: seconds(1), waiting: 100, slots: 4, pace: 0.5, paceOf: 6}, 25},
		"a great many":                   {outlook{took: seconds(1), waiting: 1_001_000, slots: 100}, 10_010},
		"more than time can tell":        {outlook{took: seconds(1e9), waiting: math.MaxInt64, slots: 1}, unknown},
		"no slots":                       {outlook{took: seconds(10), waiting: 2}, 20},
		"nothing left":                   {outlook{took: seconds(10), slots: 2}, 0},
		"more run than there are slots":  {outlook{took: seconds(10), fresh: 5, slots: 2}, 10},
		"all took no time":               {outlook{took: seconds(0, 0), waiting: 2, slots: 2}, 0},
		"what runs proves a longer time": {outlook{took: seconds(10), running: []RunningItem{running(30, unknown)}, waiting: 0, slots: 2}, 10},
	} {
		got, known := tt.o.left()
		if want := time.Duration(tt.want * float64(time.Second)); known != (tt.want != unknown) || known && got != want {
			t.Errorf("%s: %s (known %v), want %v s", name, got, known, tt.want)
		}
	}
}

// Whatever went before, the time left is none or more, and the same for the
// same past.
func TestTimeLeftIsWithinBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		age := rapid.Int64Range(0, 1<<50)
		o := outlook{
			fresh: rapid.IntRange(0, 50).Draw(rt, "fresh"), slots: rapid.IntRange(0, 50).Draw(rt, "slots"),
			waiting: rapid.Int64Range(0, 1<<40).Draw(rt, "waiting"), again: rapid.Float64Range(0, 10).Draw(rt, "again"),
			pace: rapid.Float64Range(0, 1e6).Draw(rt, "pace"), paceOf: rapid.Int64Range(0, 1000).Draw(rt, "of"),
		}
		for _, v := range rapid.SliceOf(age).Draw(rt, "took") {
			o.took = append(o.took, time.Duration(v))
		}
		for _, v := range rapid.SliceOfN(age, 0, 50).Draw(rt, "running") {
			o.running = append(o.running, RunningItem{
				For: time.Duration(v), Known: rapid.Bool().Draw(rt, "known"), Percent: rapid.Float64Range(0, 100).Draw(rt, "percent"),
			})
		}
		got, known := o.left()
		if got < 0 || !known && got != 0 {
			rt.Fatalf("%s (known %v)", got, known)
		}
		if again, _ := o.left(); again != got {
			rt.Fatalf("%s, then %s", got, again)
		}
	})
}

func BenchmarkTimeLeft(b *testing.B) {
	o := outlook{waiting: 1_000_000, fresh: 100, slots: 228}
	for i := range maxTook {
		o.took = append(o.took, time.Duration(i)*time.Second)
	}
	for i := range 128 {
		o.running = append(o.running, RunningItem{For: time.Duration(i) * time.Second})
	}
	for b.Loop() {
		o.left()
	}
}
