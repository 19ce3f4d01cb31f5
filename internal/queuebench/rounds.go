// Package queuebench is what the benchmarks of every store have in common: the
// load, and rounds in which the queue and what it is held against take turns, so
// that what else the machine does meets both.
package queuebench

import (
	"slices"
	"time"
)

// Rounds is how many items a second each of those that take turns did in each
// round.
type Rounds map[string][]float64

// Time notes how long f takes for n items.
func (r Rounds) Time(name string, n int, f func()) {
	began := time.Now()
	f()
	r[name] = append(r[name], float64(n)/time.Since(began).Seconds())
}

// Ratio is the median over the rounds of a rate beside another of the same round.
func (r Rounds) Ratio(name, beside string) float64 {
	ratios := slices.Clone(r[name])
	for i := range ratios {
		ratios[i] /= r[beside][i]
	}
	return Median(ratios)
}

// Median is the upper one of an even number.
func Median(of []float64) float64 { return Quantile(of, 0.5) }

// Quantile is the value that a share q of them does not exceed; of none it panics.
func Quantile(of []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
