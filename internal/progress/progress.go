// Package progress finds in what a program prints how far it has come.
//
// By default it knows three ways to say so, the first of which that is there
// counts: a line "openjd_progress: 37.5"; ffmpeg's status lines and its
// -progress, with the length from its "Duration:"; and the last "37%". A
// Pattern looks for something else instead.
package progress

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// tailBytes is how much of the end of an output is looked at: more than any
// status line, and one read.
const tailBytes = 4 << 10

// Pattern is a regular expression that says where progress stands. It is safe
// for concurrent use.
type Pattern struct{ re *regexp.Regexp }

// Compile reads a regular expression of package regexp. What it matches, or its
// group if it has one, is a number of per cent, with or without the sign; of
// two groups the first is a part of the second, as in "frame (\d+) of (\d+)".
func Compile(expr string) (*Pattern, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, err
	}
	if n := re.NumSubexp(); n > 2 {
		return nil, fmt.Errorf("it has %d groups: one for per cent, or two for a part and the whole, are allowed", n)
	}
	return &Pattern{re}, nil
}

// find is the last progress in a tail. One that begins where the tail was cut
// may lack its start, and is passed over.
func (p *Pattern) find(tail []byte, cut bool) (percent float64, ok bool) {
	for _, m := range p.re.FindAllSubmatch(tail, -1) {
		if cut && len(m[0]) > 0 && &m[0][0] == &tail[0] {
			continue
		}
		if v, good := value(m); good {
			percent, ok = v, true
		}
	}
	return percent, ok
}

// value is what a match and its groups come to.
func value(m [][]byte) (float64, bool) {
	part, ok := number(m[min(1, len(m)-1)])
	if !ok || len(m) < 3 {
		return part, ok && part <= 100
	}
	whole, ok := number(m[2])
	if !ok || whole == 0 {
		return 0, false
	}
	return min(100*part/whole, 100), true
}

// number reads digits with at most one point; it takes no sign, exponent or
// name that strconv would.
func number(b []byte) (float64, bool) {
	b = bytes.TrimSuffix(bytes.TrimSpace(b), []byte("%"))
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' {
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(string(b), 64)
	return v, err == nil
}

// Reader follows the output of one program. It reads no more than its ends, and
// only when it has grown, so that the program may print as much as it likes.
type Reader struct {
	pattern *Pattern
	stdout  stream
	stderr  stream
	length  length // of what ffmpeg makes
	ffmpeg  bool   // it has said where it is, so that a "37%" of it means something else

	percent float64
	known   bool
}

// stream is one of the two outputs.
type stream struct {
	r    io.ReaderAt
	size int64 // at the last look
}

// NewReader follows two outputs. A nil pattern stands for the ways that are
// known.
func NewReader(stdout, stderr io.ReaderAt, p *Pattern) *Reader {
	return &Reader{pattern: p, stdout: stream{r: stdout}, stderr: stream{r: stderr}, length: length{r: stderr}}
}

// Look is how far the program is by now, from 0 to 100; it is unknown until
// the program has said so. The sizes are those of its outputs. What cannot be
// read says nothing.
func (r *Reader) Look(stdout, stderr int64) (percent float64, known bool) {
	if r.pattern == nil {
		r.length.scan(stderr)
	}
	var buf [tailBytes]byte
	// stderr is where progress bars are: it has the last word.
	for _, s := range []struct {
		*stream
		size int64
	}{{&r.stdout, stdout}, {&r.stderr, stderr}} {
		if s.size == s.stream.size {
			continue
		}
		s.stream.size = s.size
		tail := buf[:min(s.size, tailBytes)]
		if n, err := s.r.ReadAt(tail, s.size-int64(len(tail))); err != nil && err != io.EOF {
			continue
		} else {
			tail = tail[:n]
		}
		if v, ok := r.find(tail, s.size > tailBytes); ok {
			r.percent, r.known = v, true
		}
	}
	return r.percent, r.known
}

func (r *Reader) find(tail []byte, cut bool) (float64, bool) {
	if r.pattern != nil {
		return r.pattern.find(tail, cut)
	}
	if v, ok := openJobDescription(tail); ok {
		return v, true
	}
	if v, ok := r.length.share(tail); ok || r.ffmpeg {
		r.ffmpeg = true
		return v, ok
	}
	return perCent(tail, cut)
}

var openJD = regexp.MustCompile(`(?:^|[\r\n])openjd_progress:[ \t]*([0-9]+(?:\.[0-9]+)?)[ \t]*[\r\n]`)

// openJobDescription is the last "openjd_progress: N" on a line that is whole.
func openJobDescription(tail []byte) (float64, bool) {
	i := bytes.LastIndex(tail, []byte("openjd_progress:"))
	for ; i >= 0; i = bytes.LastIndex(tail[:i], []byte("openjd_progress:")) {
		m := openJD.FindSubmatchIndex(tail[max(i-1, 0):])
		if m == nil || m[0] > 1 {
			continue // not a line of its own, or not whole yet
		}
		line := tail[max(i-1, 0):]
		if v, ok := number(line[m[2]:m[3]]); ok && v <= 100 {
			return v, true
		}
	}
	return 0, false
}

// perCent is the last number of 100 or less before a "%". Neither more digits
// before nor a letter behind it may stand there, as in a URL's "50%2F".
func perCent(tail []byte, cut bool) (float64, bool) {
	for end := bytes.LastIndexByte(tail, '%'); end >= 0; end = bytes.LastIndexByte(tail[:end], '%') {
		if end+1 < len(tail) && alphanumeric(tail[end+1]) {
			continue
		}
		start := end
		for start > 0 && (tail[start-1] >= '0' && tail[start-1] <= '9' || tail[start-1] == '.') {
			start--
		}
		if start == end || start == 0 && cut {
			continue
		}
		if v, ok := number(tail[start:end]); ok && v <= 100 {
			return v, true
		}
	}
	return 0, false
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
