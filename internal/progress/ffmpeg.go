package progress

import (
	"bytes"
	"io"
	"regexp"
	"strconv"
)

// maxHead is how far into ffmpeg's stderr its inputs are looked for.
const maxHead = 64 << 10

var (
	duration = regexp.MustCompile(`Duration: ([0-9]+):([0-9]{2}):([0-9]{2}(?:\.[0-9]+)?)`)
	// out_time_ms is in microseconds too.
	position = regexp.MustCompile(`(?:out_time_(?:us|ms)=[ \t]*([0-9]+)|time=[ \t]*([0-9]+):([0-9]{2}):([0-9]{2}(?:\.[0-9]+)?))[ \t\r\n]`)
)

// length is how long ffmpeg's longest input is, by the head of its stderr.
type length struct {
	r       io.ReaderAt
	scanned int64
	seconds float64 // 0: unknown
}

// scan looks at what is new of the head.
func (l *length) scan(size int64) {
	end := min(size, maxHead)
	if end <= l.scanned {
		return
	}
	const most = len("Duration: 000:00:00.00") // that may have been cut by the last look
	start := max(0, l.scanned-int64(most))
	b := make([]byte, end-start)
	n, err := l.r.ReadAt(b, start)
	if err != nil && err != io.EOF {
		return
	}
	l.scanned = start + int64(n)
	for _, m := range duration.FindAllSubmatch(b[:n], -1) {
		l.seconds = max(l.seconds, clock(m[1:]))
	}
}

// share is how much of the length the last position in a tail is, in per cent.
func (l *length) share(tail []byte) (float64, bool) {
	if l.seconds == 0 {
		return 0, false
	}
	if bytes.HasSuffix(tail, []byte("progress=end\n")) {
		return 100, true
	}
	all := position.FindAllSubmatch(tail, -1)
	if len(all) == 0 {
		return 0, false
	}
	m := all[len(all)-1]
	at := clock(m[2:])
	if len(m[1]) > 0 {
		us, _ := strconv.ParseFloat(string(m[1]), 64) // digits alone
		at = us / 1e6
	}
	return min(100*at/l.seconds, 100), true
}

// clock is hours, minutes and seconds in seconds.
func clock(m [][]byte) float64 {
	var s float64
	for _, b := range m {
		v, _ := strconv.ParseFloat(string(b), 64) // digits and a point, or nothing
		s = s*60 + v
	}
	return s
}
