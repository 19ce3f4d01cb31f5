package producer

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Limits of Frames.
const (
	MaxFrames = 1_000_000_000 // in one specification, and the largest number of a frame
	MaxParts  = 1000          // between commas
	MaxPad    = 20            // digits
)

// FrameFields are the names of the fields that a record of Frames has.
func FrameFields() []string { return []string{"frame", "start", "end", "step"} }

// FrameOptions says how frames become records. The zero value makes one of each
// frame.
type FrameOptions struct {
	// Chunk is how many frames a record has at the most, for commands that
	// take long to start: 1 to MaxFrames. 0: 1.
	Chunk int
	// Pad is how many digits a frame's number has at the least, filled up
	// with zeros as in names of files: up to MaxPad. 0: no more than it needs.
	Pad int
}

// Frames yields the frames of a specification such as "1-240x2,300", in its
// order: frames and ranges between commas; a range may go down, and step by
// what follows the x. A frame that an earlier part has is left out.
//
// The fields of a record are start and end, its first frame and its last, frame,
// which is start, and step, what lies between two of its frames. Its argument is
// the same in one word: "7", "1-19x2". A chunk never has a gap, so it ends with
// its part, and before a frame that is left out.
func Frames(spec string, o FrameOptions) Source {
	return func(yield func(Record, error) bool) {
		parts, err := parseFrames(spec)
		if err == nil {
			err = o.validate()
		}
		if err != nil {
			yield(Record{}, fmt.Errorf("frames %.60q: %w", spec, err))
			return
		}
		for i, p := range parts {
			for c := range p.chunks(parts[:i], max(o.Chunk, 1)) {
				if !yield(c.record(o.Pad), nil) {
					return
				}
			}
		}
	}
}

func (o FrameOptions) validate() error {
	if o.Chunk < 0 || o.Chunk > MaxFrames {
		return fmt.Errorf("chunk %d is out of range: 1 to %d, or 0 for 1", o.Chunk, MaxFrames)
	}
	if o.Pad < 0 || o.Pad > MaxPad {
		return fmt.Errorf("pad %d is out of range: 0 to %d", o.Pad, MaxPad)
	}
	return nil
}

// frames is an arithmetic progression: count frames from first, by step, which
// is negative where they go down.
type frames struct{ first, step, count int }

func (f frames) last() int { return f.first + (f.count-1)*f.step }

func (f frames) has(n int) bool {
	i := (n - f.first) / f.step
	return (n-f.first)%f.step == 0 && i >= 0 && i < f.count
}

// span is the least and the greatest frame.
func (f frames) span() (lo, hi int) { return min(f.first, f.last()), max(f.first, f.last()) }

// chunks splits f into parts of at most size frames, without those that an
// earlier one has.
func (f frames) chunks(earlier []frames, size int) iter.Seq[frames] {
	lo, hi := f.span()
	var near []frames // the earlier ones that may share a frame with f
	for _, e := range earlier {
		if least, greatest := e.span(); least <= hi && lo <= greatest {
			near = append(near, e)
		}
	}
	if len(near) > 0 {
		return f.chunksWithout(near, size)
	}
	return func(yield func(frames) bool) {
		for i := 0; i < f.count; i += size {
			if !yield(frames{f.first + i*f.step, f.step, min(size, f.count-i)}) {
				return
			}
		}
	}
}

// chunksWithout is chunks one frame at a time.
func (f frames) chunksWithout(others []frames, size int) iter.Seq[frames] {
	return func(yield func(frames) bool) {
		c := frames{step: f.step}
		for i := range f.count {
			n := f.first + i*f.step
			skip := slices.ContainsFunc(others, func(o frames) bool { return o.has(n) })
			if c.count > 0 && (skip || c.count == size) {
				if !yield(c) {
					return
				}
				c.count = 0
			}
			switch {
			case skip:
			case c.count == 0:
				c.first, c.count = n, 1
			default:
				c.count++
			}
		}
		if c.count > 0 {
			yield(c)
		}
	}
}

func (f frames) record(pad int) Record {
	number := func(n int) string {
		if n < 0 {
			return fmt.Sprintf("-%0*d", pad, -n)
		}
		return fmt.Sprintf("%0*d", pad, n)
	}
	start, end, step := number(f.first), number(f.last()), max(f.step, -f.step)
	arg := start
	if f.count > 1 {
		arg += "-" + end
		if step > 1 {
			arg += "x" + strconv.Itoa(step)
		}
	}
	return Record{
		Arg:    arg,
		Fields: map[string]string{"frame": start, "start": start, "end": end, "step": strconv.Itoa(step)},
		Pos:    Position{Name: "frame " + arg},
	}
}

func parseFrames(spec string) (parts []frames, err error) {
	words := strings.Split(spec, ",")
	if len(words) > MaxParts {
		return nil, fmt.Errorf("it has %d parts: at most %d are allowed", len(words), MaxParts)
	}
	total := 0
	for _, w := range words {
		f, err := parsePart(strings.TrimSpace(w))
		if err != nil && len(words) > 1 {
			err = fmt.Errorf("%.40q: %w", w, err)
		}
		if err != nil {
			return nil, err
		}
		if total += f.count; total > MaxFrames {
			return nil, fmt.Errorf("it has more than %d frames: at most so many are allowed", MaxFrames)
		}
		parts = append(parts, f)
	}
	return parts, nil
}

var errFrames = errors.New("a frame (7), a range (1-240) or a range with a step (1-240x2) is allowed")

// parsePart reads what stands between two commas.
func parsePart(s string) (f frames, err error) {
	if strings.Contains(s, ":") {
		return f, errors.New("render tools read ':' in two ways: write 1-240, with a step 1-240x2")
	}
	first, rest, err := frameNumber(s)
	if err != nil {
		return f, err
	}
	if rest == "" {
		return frames{first, 1, 1}, nil
	}
	to, ranged := strings.CutPrefix(rest, "-")
	switch {
	case !ranged:
		return f, errFrames
	case to == "":
		return f, errors.New("the range has no end: a scene's last frame is not known here")
	}
	last, rest, err := frameNumber(to)
	if err != nil {
		return f, err
	}
	step := 1
	if rest != "" {
		by, stepped := strings.CutPrefix(rest, "x")
		step, err = strconv.Atoi(by)
		if !stepped || err != nil || step < 1 || step > MaxFrames || by[0] == '+' {
			return f, fmt.Errorf("step %.20q: x and 1 to %d is allowed; 240-1 goes down", rest, MaxFrames)
		}
	}
	count := max(last-first, first-last)/step + 1
	if last < first {
		step = -step
	}
	return frames{first, step, count}, nil
}

// frameNumber reads the number that s begins with.
func frameNumber(s string) (n int, rest string, err error) {
	digits := strings.TrimPrefix(s, "-")
	length := len(s) - len(digits)
	for length < len(s) && s[length] >= '0' && s[length] <= '9' {
		length++
	}
	n, err = strconv.Atoi(s[:length])
	switch {
	case errors.Is(err, strconv.ErrRange) || n > MaxFrames || n < -MaxFrames:
		return 0, "", fmt.Errorf("frame %.30s is out of range: %d to %d", s[:length], -MaxFrames, MaxFrames)
	case err != nil:
		return 0, "", errFrames
	}
	return n, s[length:], nil
}
