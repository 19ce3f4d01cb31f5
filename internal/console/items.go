package console

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"sluice.dev/internal/plain"
)

const (
	maxItemLines = 5
	barColumns   = 10
	minName      = 8 // columns below which a name says too little for a bar to be worth its room
)

// itemLines are the first of these items, one a line, in at most width-1
// columns and so many lines: how long each has run, how far it is, its name.
// What has no room is left out, the bar first.
func itemLines(items []RunningItem, width, height int) []string {
	items = items[:min(len(items), maxItemLines, max(0, height))]
	ages := make([]string, len(items))
	age, told := 4, false
	for i, item := range items {
		ages[i] = Duration(item.For.Truncate(time.Second))
		age = max(age, len(ages[i]))
		told = told || item.Known
	}
	room := width - 1 - len("  ") - age - len("  ")
	percent := told && room >= len("100%  ")+minName
	if percent {
		room -= len("100%  ")
	}
	bar := percent && room >= barColumns+len("  ")+minName
	if bar {
		room -= barColumns + len("  ")
	}
	if room < 1 {
		return nil
	}
	var lines []string
	for i, item := range items {
		var b strings.Builder
		fmt.Fprintf(&b, "  %*s  ", age, ages[i])
		if percent {
			fmt.Fprintf(&b, "%4s  ", item.percent())
		}
		if bar {
			fmt.Fprintf(&b, "%-*s  ", barColumns, item.bar())
		}
		name := item.Text
		if name == "" {
			name = item.ID
		}
		b.WriteString(fit(plain.Text(name), room))
		lines = append(lines, b.String())
	}
	return lines
}

func (r RunningItem) percent() string {
	if !r.Known {
		return ""
	}
	return fmt.Sprintf("%d%%", int(r.Percent)) // nearly all is not all
}

func (r RunningItem) bar() string {
	if !r.Known {
		return ""
	}
	full := min(int(r.Percent)*barColumns/100, barColumns)
	return strings.Repeat("#", full) + strings.Repeat("-", barColumns-full)
}

// fit is s in at most room columns. What is too long loses its middle: names
// differ at their ends, and paths at the last one most of all.
func fit(s string, room int) string {
	const dots = "..."
	switch {
	case columns(s) <= room:
		return s
	case room <= len(dots):
		return dots[:room]
	}
	room -= len(dots)
	head := 0
	for used := 0; ; {
		r, n := utf8.DecodeRuneInString(s[head:])
		if used += runeColumns(r); used > room/3 {
			break
		}
		head += n
	}
	tail := len(s)
	for used := columns(s[:head]); ; {
		r, n := utf8.DecodeLastRuneInString(s[:tail])
		if used += runeColumns(r); used > room {
			break
		}
		tail -= n
	}
	return s[:head] + dots + s[tail:]
}

// columns is how wide s is on a terminal, at most.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// runeColumns is 2 for all that might be wide. Terminals disagree on which
// those are: a name that is cut too soon does no harm, and a line that wraps
// would.
func runeColumns(r rune) int {
	if r < 0x300 {
		return 1
	}
	return 2
}
