package producer

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		spec string
		o    FrameOptions
		want string
	}{
		{"7", FrameOptions{}, "7"},
		{"1-4", FrameOptions{}, "1 2 3 4"},
		{"4-1", FrameOptions{}, "4 3 2 1"},
		{"5-5", FrameOptions{}, "5"},
		{"1-10x3", FrameOptions{}, "1 4 7 10"},
		{"1-9x3", FrameOptions{}, "1 4 7"},
		{"9-1x3", FrameOptions{}, "9 6 3"},
		{"1-5x100", FrameOptions{}, "1"},
		{"300, 1-3", FrameOptions{}, "300 1 2 3"},
		{"1-5,3-8,2,8", FrameOptions{}, "1 2 3 4 5 6 7 8"},
		{"1-9x2,1-9", FrameOptions{}, "1 3 5 7 9 2 4 6 8"},
		{"-3-2", FrameOptions{}, "-3 -2 -1 0 1 2"},
		{"-1--3", FrameOptions{}, "-1 -2 -3"},
		{"0008-0010", FrameOptions{}, "8 9 10"},
		{"8-10", FrameOptions{Pad: 4}, "0008 0009 0010"},
		{"-2-0x2", FrameOptions{Pad: 3}, "-002 000"},
		{"1-10", FrameOptions{Chunk: 4}, "1-4 5-8 9-10"},
		{"10-1", FrameOptions{Chunk: 4}, "10-7 6-3 2-1"},
		{"1-20x2", FrameOptions{Chunk: 4}, "1-7x2 9-15x2 17-19x2"},
		{"1-9,11-12", FrameOptions{Chunk: 8}, "1-8 9 11-12"},
		{"5,1-8", FrameOptions{Chunk: 100}, "5 1-4 6-8"},
		{"1-8x7", FrameOptions{Chunk: 1, Pad: 2}, "01 08"},
		{"1-3", FrameOptions{Chunk: 2, Pad: 3}, "001-002 003"},
		{"1-1000000000", FrameOptions{Chunk: MaxFrames}, "1-1000000000"},
	} {
		got, err := collect(Frames(c.spec, c.o))
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("Frames(%q, %+v) = %q, %v; want %q", c.spec, c.o, got, err, c.want)
		}
	}
}

func TestTheFieldsOfAFrame(t *testing.T) {
	want := Record{
		Arg:    "09-05x2",
		Fields: map[string]string{"frame": "09", "start": "09", "end": "05", "step": "2"},
		Pos:    Position{Name: "frame 09-05x2"},
	}
	for r, err := range Frames("9-4x2", FrameOptions{Chunk: 3, Pad: 2}) {
		if diff := cmp.Diff(want, r); err != nil || diff != "" {
			t.Errorf("error %v (-want +got):\n%s", err, diff)
		}
	}
}

func TestFramesRefuse(t *testing.T) {
	for spec, want := range map[string]string{
		"":                                   "a frame (7), a range (1-240)",
		"1,,2":                               "a frame (7), a range (1-240)",
		"a":                                  "a frame (7), a range (1-240)",
		"1-b":                                "a frame (7), a range (1-240)",
		"1 - 5":                              "a frame (7), a range (1-240)",
		"1x2":                                "a frame (7), a range (1-240)",
		"1-5 2":                              `step " 2"`,
		"-":                                  "a frame (7), a range (1-240)",
		"10-":                                `frames "10-": the range has no end`,
		"1:10":                               `frames "1:10": render tools read ':' in two ways`,
		"5,1-10:2":                           `"1-10:2": render tools read ':' in two ways`,
		"1-10x0":                             `frames "1-10x0": step "x0": x and 1 to 1000000000 is allowed`,
		"1-10x-2":                            `step "x-2"`,
		"1-10x+2":                            `step "x+2"`,
		"1-10x":                              `step "x"`,
		"1-10y2":                             `step "y2"`,
		"0-1000000000":                       "more than 1000000000 frames",
		"1-600000000,1-600000000x1":          "more than 1000000000 frames",
		"1-1000000001":                       "frame 1000000001 is out of range",
		"-1000000001":                        "frame -1000000001 is out of range",
		"99999999999999999999":               "is out of range: -1000000000 to 1000000000",
		strings.Repeat("1,", MaxParts) + "1": "it has 1001 parts: at most 1000 are allowed",
	} {
		got, err := collect(Frames(spec, FrameOptions{}))
		if err == nil || !strings.Contains(err.Error(), want) || len(got) > 0 {
			t.Errorf("Frames(%.40q) = %q, %v; want nothing and %q", spec, got, err, want)
		}
		if err != nil && (len(err.Error()) > 300 || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "frames ")) {
			t.Errorf("Frames(%.40q): error %q is not one line that begins with what it is about", spec, err)
		}
	}
	for want, o := range map[string]FrameOptions{
		"chunk -1 is out of range: 1 to 1000000000": {Chunk: -1},
		"pad 21 is out of range: 0 to 20":           {Pad: 21},
	} {
		if _, err := collect(Frames("1-2", o)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

// Whatever the parts and the chunk, each frame comes once, in the order in
// which it is named first.
func TestEachFrameComesOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []int
		var words []string
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			first, last := rapid.IntRange(-30, 30).Draw(t, "first"), rapid.IntRange(-30, 30).Draw(t, "last")
			step := rapid.IntRange(1, 7).Draw(t, "step")
			words = append(words, strconv.Itoa(first)+"-"+strconv.Itoa(last)+"x"+strconv.Itoa(step))
			if last < first {
				step = -step
			}
			for n := first; step > 0 && n <= last || step < 0 && n >= last; n += step {
				if !slices.Contains(want, n) {
					want = append(want, n)
				}
			}
		}
		chunk := rapid.IntRange(0, 9).Draw(t, "chunk")
		var got []int
		for r, err := range Frames(strings.Join(words, ","), FrameOptions{Chunk: chunk}) {
			if err != nil {
				t.Fatal(err)
			}
			part, err := parsePart(r.Arg)
			if err != nil || part.count > max(chunk, 1) {
				t.Fatalf("record %q, %v; want a part of at most %d frames", r.Arg, err, chunk)
			}
			for i := range part.count {
				got = append(got, part.first+i*part.step)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("Frames(%q) has %v, want %v", words, got, want)
		}
	})
}

func FuzzFrames(f *testing.F) {
	for _, seed := range []string{"1-240x2,300", "10-", "1:10", "-5--1x2", "1-10x0", "", ",", "x", "--1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		n := 0
		for r, err := range Frames(spec, FrameOptions{}) {
			if err == nil && r.Fields["start"] != r.Fields["end"] {
				t.Errorf("Frames(%q) has a record of more than one frame: %+v", spec, r)
			}
			if n++; n > 1000 {
				break
			}
		}
		if n == 0 {
			t.Errorf("Frames(%q) has no frame and no error", spec)
		}
	})
}
