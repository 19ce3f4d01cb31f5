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

	Slots int64 // items that may run at once
	Open  bool  // the input is still being read: Total may grow
}

// finished is the items that need no more work.
func (s Snapshot) finished() int64 { return s.Done + s.Dead }

// maxFresh bounds the items that are taken to have begun just now.
const maxFresh = 4096

// pace is how fast a run goes.
type pace struct {
	rate      float64 // items a second; 0: unknown
	left      time.Duration
	leftKnown bool
}

// pace is what an outlook says of the run. Where it has no durations to go by
// the rate has to do. The time left is unknown while the input is open.
func (s Snapshot) pace(o outlook) pace {
	p := pace{rate: o.pace}
	rest := s.Total - s.finished()
	switch {
	case s.Open:
		return p
	case rest <= 0:
		p.leftKnown = true
		return p
	case s.Delayed > 0 && rest <= s.Delayed+s.Running:
		return p // a retry ends it, and nobody knows how many more come
	}
	if p.left, p.leftKnown = o.left(); p.leftKnown || o.pace <= 0 {
		return p
	}
	if seconds := math.Ceil(float64(rest) / o.pace); seconds < math.MaxInt64/float64(time.Second) {
		p.left, p.leftKnown = time.Duration(seconds)*time.Second, true
	}
	return p
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
func (s Snapshot) parts(p pace) [partCount]string {
	var texts [partCount]string
	texts[partDone] = "done " + s.ratio()
	texts[partRunning] = fmt.Sprintf("running %d", s.Running)
	if s.Delayed > 0 {
		texts[partRetrying] = fmt.Sprintf("retrying %d", s.Delayed)
	}
	if s.Dead > 0 {
		texts[partDead] = fmt.Sprintf("dead %d", s.Dead)
	}
	texts[partRate] = "--/s"
	if p.rate > 0 {
		texts[partRate] = Rate(p.rate)
	}
	texts[partLeft] = "-- left"
	if p.leftKnown {
		texts[partLeft] = Duration(p.left) + " left"
	}
	return texts
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
func (s Snapshot) line(width int, p pace) string {
	const gap = "  "
	room := width - 1
	all := s.parts(p)
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
func (s Snapshot) report(p pace) string {
	var texts []string
	for _, text := range s.parts(p) {
		if text != "" {
			texts = append(texts, text)
		}
	}
	return "sluice: " + strings.Join(texts, ", ") + "\n"
}
