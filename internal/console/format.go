package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Duration is a time span for people, with two units at most: 40ms, 1.2s, 42s,
// 1m05s, 2h13m, 3d04h. A negative one is 0s.
func Duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d <= 0:
		return "0s"
	case d < 999500*time.Microsecond:
		return fmt.Sprintf("%dms", max(1, d.Round(time.Millisecond).Milliseconds()))
	case d < 9950*time.Millisecond:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + "s"
	case d.Round(time.Second) < time.Minute:
		return fmt.Sprintf("%ds", d.Round(time.Second)/time.Second)
	case d.Round(time.Second) < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d.Round(time.Minute) < day:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	hours := d.Round(time.Hour) / time.Hour
	return fmt.Sprintf("%dd%02dh", hours/24, hours%24)
}

// Rate is a number of items a second for people, in the unit that leaves
// something before the point: 1240/s, 12.4/s, 0.4/s, 2.5/min, 1.5/h.
func Rate(perSecond float64) string {
	switch {
	case perSecond >= 99.95:
		return fmt.Sprintf("%.0f/s", perSecond)
	case perSecond >= 0.1 || perSecond <= 0:
		return fmt.Sprintf("%.1f/s", max(0, perSecond))
	case perSecond >= 0.1/60:
		return fmt.Sprintf("%.1f/min", perSecond*60)
	}
	return fmt.Sprintf("%.1f/h", perSecond*3600)
}

// count is a number with its noun: 1 item, 2 items.
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}

// shorten cuts s to about n bytes, between two characters, and says so.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
