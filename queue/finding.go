package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Finding is what one check of a store has come to.
type Finding struct {
	Check   string  `json:"check"` // the same word for the same check of every store
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail"` // what was seen, and what would be lost when
}

// Verdict is a finding in one word.
type Verdict string

// The verdicts, from good to bad.
const (
	VerdictOK      Verdict = "ok"
	VerdictUnknown Verdict = "unknown" // nobody who could be asked knows: no reason for trust
	VerdictWarn    Verdict = "warn"    // in a case that does happen something is lost, or stands still
	VerdictFault   Verdict = "fault"   // not fit to keep a queue
)

var verdicts = []Verdict{VerdictOK, VerdictUnknown, VerdictWarn, VerdictFault}

// Compare orders verdicts from good to bad.
func (v Verdict) Compare(w Verdict) int {
	return cmp.Compare(slices.Index(verdicts, v), slices.Index(verdicts, w))
}

const (
	probes     = 20
	probeEvery = 50 * time.Millisecond
	slow       = 50 * time.Millisecond // a round trip that many exchanges notice
	askew      = 2 * time.Second       // a clock that nobody sets any more
	jump       = 200 * time.Millisecond
)

// ProbeClock asks a store for its time, 20 times within a second, and finds how
// long an answer takes ("latency") and how its clock goes ("clock"). A store
// that answers with no time, which is the zero one, gets no finding of the
// clock.
func ProbeClock(ctx context.Context, ask func(context.Context) (time.Time, error)) ([]Finding, error) {
	var trips, offsets []time.Duration
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	start := time.Now()
	for i := range probes {
		began := time.Now()
		at, err := ask(ctx)
		if err != nil {
			return nil, err
		}
		trip := time.Since(began)
		trips = append(trips, trip)
		if !at.IsZero() {
			// From the start on only the monotonic clock counts here: a jump
			// of this machine's own clock is not the store's.
			offsets = append(offsets, at.Sub(start)-began.Add(trip/2).Sub(start))
		}
		if i == probes-1 {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	findings := []Finding{latency(trips)}
	if len(offsets) > 0 {
		findings = append(findings, clock(offsets, slices.Max(trips)))
	}
	return findings, nil
}

func latency(trips []time.Duration) Finding {
	slices.Sort(trips)
	median, worst := trips[len(trips)/2], trips[len(trips)-1]
	f := Finding{"latency", VerdictOK, fmt.Sprintf("a round trip takes %s, at the most %s of %d", rounded(median), rounded(worst), len(trips))}
	if median > slow {
		f.Verdict = VerdictWarn
		f.Detail += ": every exchange of a worker waits that long; run workers nearer to the store, or with more --concurrency"
	}
	return f
}

// clock judges how far the store's clock was ahead of this machine's, in the
// order in which it was asked.
func clock(offsets []time.Duration, uncertain time.Duration) Finding {
	for i, o := range offsets[1:] {
		if by := o - offsets[i]; by.Abs() > jump+uncertain {
			return Finding{"clock", VerdictWarn, fmt.Sprintf("the store's clock has jumped by %s while it was watched: leases and delays end early or late by that much", rounded(by))}
		}
	}
	last := offsets[len(offsets)-1]
	if last.Abs() <= uncertain {
		last = 0 // no more than the round trip itself
	}
	f := Finding{"clock", VerdictOK, fmt.Sprintf("the store's clock differs from this machine's by %s; it alone decides deadlines", rounded(last))}
	if last.Abs() > askew {
		f.Verdict = VerdictWarn
		f.Detail = fmt.Sprintf("the store's clock differs from this machine's by %s: one of them is not set by NTP. The store's decides deadlines: when it is put right, leases and delays end early or late by that much", rounded(last))
	}
	return f
}

// rounded is a duration as a person says it.
func rounded(d time.Duration) time.Duration {
	switch {
	case d.Abs() >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d.Abs() >= time.Millisecond:
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}
