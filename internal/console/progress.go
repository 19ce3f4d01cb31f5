package console

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Snapshot is how far a run is, in items.
type Snapshot struct {
	Done, Total, Running, Delayed, Dead int64

	Open bool // the input is still being read: Total may grow
}

// finished is the items that need no more work.
func (s Snapshot) finished() int64 { return s.Done + s.Dead }

// left is the time that the rest takes at this rate, to the next second. It is
// unknown while the input is open or the rate is.
func (s Snapshot) left(rate float64, known bool) (time.Duration, bool) {
	rest := s.Total - s.finished()
	switch {
	case s.Open:
		return 0, false
	case rest <= 0:
		return 0, true
	case !known:
		return 0, false
	}
	seconds := math.Ceil(float64(rest) / rate)
	if seconds > math.MaxInt64/float64(time.Second) {
		return 0, false
	}
	return time.Duration(seconds) * time.Second, true
}

// The parts of a progress line, in the order in which they stand.
const (
	partDone = iota
	partRunning
	partRetrying
	partDead
	partRate
	partLeft
	partCount
)

// importance is the order in which parts are given room.
var importance = [partCount]int{partDone, partDead, partLeft, partRate, partRunning, partRetrying}

// parts are the texts of a progress line; "" is one with nothing to tell.
func (s Snapshot) parts(rate float64, known bool) [partCount]string {
	var p [partCount]string
	p[partDone] = "done " + s.ratio()
	p[partRunning] = fmt.Sprintf("running %d", s.Running)
	if s.Delayed > 0 {
		p[partRetrying] = fmt.Sprintf("retrying %d", s.Delayed)
	}
	if s.Dead > 0 {
		p[partDead] = fmt.Sprintf("dead %d", s.Dead)
	}
	p[partRate] = "--/s"
	if known {
		p[partRate] = Rate(rate)
	}
	p[partLeft] = "-- left"
	if d, ok := s.left(rate, known); ok {
		p[partLeft] = Duration(d) + " left"
	}
	return p
}

func (s Snapshot) ratio() string {
	if s.Open {
		return fmt.Sprintf("%d of %d+", s.Done, s.Total)
	}
	return fmt.Sprintf("%d/%d", s.Done, s.Total)
}

// line is the progress in at most width-1 columns, so that the cursor stays on
// the line. The least important parts go first; then the count itself becomes
// shorter, and where not even that fits there is nothing.
func (s Snapshot) line(width int, rate float64, known bool) string {
	const gap = "  "
	room := width - 1
	all := s.parts(rate, known)
	var shown [partCount]bool
	used := -len(gap)
	for _, i := range importance {
		if all[i] == "" {
			continue
		}
		if used+len(gap)+len(all[i]) > room {
			break
		}
		used += len(gap) + len(all[i])
		shown[i] = true
	}
	if !shown[partDone] {
		return s.short(room)
	}
	var texts []string
	for i, text := range all {
		if shown[i] {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, gap)
}

// short is the longest form of the count alone that fits.
func (s Snapshot) short(room int) string {
	forms := []string{s.ratio()}
	if s.Open || s.Total == 0 {
		forms = append(forms, fmt.Sprint(s.Done))
	} else {
		forms = append(forms, fmt.Sprintf("%d%%", int(100*float64(s.Done)/float64(s.Total))))
	}
	for _, f := range forms {
		if len(f) <= room {
			return f
		}
	}
	return ""
}

// report is the progress as a line of a log.
func (s Snapshot) report(rate float64, known bool) string {
	var texts []string
	for _, text := range s.parts(rate, known) {
		if text != "" {
			texts = append(texts, text)
		}
	}
	return "sluice: " + strings.Join(texts, ", ") + "\n"
}
