package console

import (
	"slices"
	"time"
)

const (
	rateWindow = 30 * time.Second
	rateCount  = 10
	rateGap    = 500 * time.Millisecond
	rateAfter  = time.Second
)

// meter is the rate at which a count grows, over a sliding window: the growth
// since a sample in the past, divided by the time since then. The sample is
// the newest that lies rateWindow or more in the past and has rateCount or
// more of growth after it; without such a one it is the first. So the rate of
// fast items follows the last half minute and that of slow ones the last ten
// items, and both sink while nothing is finished.
//
// Samples are kept when the count has changed, rateGap apart: at most about
// rateWindow/rateGap + rateCount of them. The zero meter is ready.
type meter struct {
	samples []sample
	last    int64
}

type sample struct {
	at time.Time
	n  int64
}

// add notes a count. One below the last, as after dead items were put back,
// begins anew.
func (m *meter) add(at time.Time, n int64) {
	if n < m.last {
		m.samples = m.samples[:0]
	}
	m.last = n
	if k := len(m.samples); k == 0 || n != m.samples[k-1].n && at.Sub(m.samples[k-1].at) >= rateGap {
		m.samples = append(m.samples, sample{at, n})
	}
	drop := 0
	for drop+1 < len(m.samples) && at.Sub(m.samples[drop+1].at) >= rateWindow && n-m.samples[drop+1].n >= rateCount {
		drop++
	}
	m.samples = slices.Delete(m.samples, 0, drop)
}

// grown is the growth that the rate is reckoned from.
func (m *meter) grown() int64 {
	if len(m.samples) == 0 {
		return 0
	}
	return m.last - m.samples[0].n
}

// perSecond is the rate now; it is unknown in the first second and until the
// count has grown.
func (m *meter) perSecond(now time.Time) (rate float64, known bool) {
	if len(m.samples) == 0 {
		return 0, false
	}
	first := m.samples[0]
	span, grown := now.Sub(first.at), m.grown()
	if span < rateAfter || grown <= 0 {
		return 0, false
	}
	return float64(grown) / span.Seconds(), true
}
