package progress

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// look is what a reader makes of two outputs.
func look(t *testing.T, expr, stdout, stderr string) (float64, bool) {
	t.Helper()
	var p *Pattern
	if expr != "" {
		var err error
		if p, err = Compile(expr); err != nil {
			t.Fatal(err)
		}
	}
	r := NewReader(strings.NewReader(stdout), strings.NewReader(stderr), p)
	return r.Look(int64(len(stdout)), int64(len(stderr)))
}

const unknown = -1

func TestLook(t *testing.T) {
	const ffmpeg = "Input #0, wav, from 'a.wav':\n  Duration: 00:01:40.00, bitrate: 705 kb/s\n"
	long := strings.Repeat("x", 2*tailBytes)
	for name, tt := range map[string]struct {
		expr, stdout, stderr string
		want                 float64
	}{
		"nothing":                      {"", "", "", unknown},
		"nothing of the kind":          {"", "rendering\n", "warning: 3 of 4\n", unknown},
		"the last of many":             {"", "1%\n2%\n37%\n", "", 37},
		"a fraction":                   {"", "37.5%\n", "", 37.5},
		"carriage returns":             {"", "", "  1% \r 50% \r 99%\r", 99},
		"curl":                         {"", "", "\r##########                 30.0%", 30},
		"colours":                      {"", "\x1b[32m42%\x1b[0m", "", 42},
		"all":                          {"", "100%", "", 100},
		"more than all":                {"", "37% of 250%", "", 37},
		"four digits":                  {"", "1234%", "", unknown},
		"a sign alone":                 {"", "% done", "", unknown},
		"a URL":                        {"", "12% of a%20b/50%2F", "", 12},
		"points":                       {"", "1.2.3%", "", unknown},
		"stderr has the last word":     {"", "12%\n", "34%\n", 34},
		"far from the start":           {"", long + " 7% ", "", 7},
		"too far from the end":         {"", " 7% " + long, "", unknown},
		"cut at the tail's start":      {"", "1" + "37%" + long[:tailBytes-3], "", unknown},
		"Open Job Description":         {"", "12%\nopenjd_progress: 37.5\n13%\n", "", 37.5},
		"the last of that":             {"", "openjd_progress: 1\nopenjd_progress: 2\n", "", 2},
		"of that, not whole":           {"", "openjd_progress: 1\nopenjd_progress: 2", "", 1},
		"not a line of its own":        {"", "echo openjd_progress: 50\n", "", unknown},
		"more than all of that":        {"", "openjd_progress: 120\n", "", unknown},
		"ffmpeg's status":              {"", "", ffmpeg + "size= 1kB time=00:00:10.00 bitrate=1\rsize= 2kB time=00:00:25.00 bitrate=1 \r", 25},
		"ffmpeg's -progress":           {"", "out_time_us=33000000\nout_time_ms=33000000\nout_time=00:00:33.000000\nprogress=continue\n", ffmpeg, 33},
		"ffmpeg's -progress at an end": {"", "out_time_us=99000000\nprogress=end\n", ffmpeg, 100},
		"ffmpeg, position unknown":     {"", "out_time_us=N/A\nout_time=N/A\nprogress=continue\n", ffmpeg, unknown},
		"ffmpeg without a length":      {"", "out_time_us=33000000\n", "", unknown},
		"ffmpeg past its length":       {"", "out_time_us=333000000\n", ffmpeg, 100},
		"ffmpeg with two inputs":       {"", "out_time_us=100000000\n", "Duration: 00:00:02.50, start\n" + ffmpeg, 100},
		"a pattern":                    {`at (\d+)`, "50%\nat 12\nat 13\n", "", 13},
		"a pattern without a group":    {`\d+(?:\.\d+)?`, "12 then 14.5", "", 14.5},
		"a pattern with its sign":      {`\d+%`, "12% then 14%", "", 14},
		"a pattern of a part":          {`frame (\d+) of (\d+)`, "frame 1 of 8\nframe 2 of 8\n", "", 25},
		"a part of nothing":            {`(\d+)/(\d+)`, "1/0", "", unknown},
		"a pattern for no number":      {`at (\w+)`, "at home", "", unknown},
		"a pattern for nothing":        {`x*`, "abc", "", unknown},
		"a pattern at the cut":         {`\d+%`, "1" + "37%" + long[:tailBytes-3], "", unknown},
		"a pattern is all that counts": {`at (\d+)`, "openjd_progress: 5\n7%\n", "", unknown},
	} {
		got, known := look(t, tt.expr, tt.stdout, tt.stderr)
		if !known {
			got = unknown
		}
		if got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// What a program has said stands until it says something else.
func TestLookRemembers(t *testing.T) {
	var out strings.Builder
	out.WriteString("30%\n")
	r := NewReader(readerAt{&out}, strings.NewReader(""), nil)
	for _, add := range []string{"", strings.Repeat("words\n", tailBytes)} {
		out.WriteString(add)
		if got, known := r.Look(int64(out.Len()), 0); got != 30 || !known {
			t.Errorf("%v (known %v), want 30", got, known)
		}
	}
	out.WriteString("31%\n")
	if got, _ := r.Look(int64(out.Len()), 0); got != 31 {
		t.Errorf("%v, want 31", got)
	}
}

// The statistics at the end of ffmpeg's output are no progress.
func TestStatisticsAreNoProgress(t *testing.T) {
	var out strings.Builder
	r := NewReader(strings.NewReader(""), readerAt{&out}, nil)
	for _, piece := range []string{"Duration: 00:00:10.00, start\ntime=00:00:09.00 \r", strings.Repeat("ref P L0: 66.9% 33.1%\n", 500)} {
		out.WriteString(piece)
		if got, _ := r.Look(0, int64(out.Len())); got != 90 {
			t.Errorf("%v, want 90", got)
		}
	}
}

// The length is found however the head is cut by the looks.
func TestLengthInPieces(t *testing.T) {
	const head = "ffmpeg version\nInput #0\n  Duration: 00:00:50.00, start\n"
	for cut := range len(head) {
		var out strings.Builder
		r := NewReader(strings.NewReader(""), readerAt{&out}, nil)
		for _, piece := range []string{head[:cut], head[cut:] + "time=00:00:05.00 \r"} {
			out.WriteString(piece)
			r.Look(0, int64(out.Len()))
		}
		if r.percent != 10 {
			t.Errorf("cut at %d: %v, want 10", cut, r.percent)
		}
	}
}

type readerAt struct{ b *strings.Builder }

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	return strings.NewReader(r.b.String()).ReadAt(p, off)
}

func TestAnyOutputIsWithinBounds(t *testing.T) {
	word := rapid.SampledFrom([]string{
		"%", "1", "99.9", "100%", "1000%", ".", "\r", "\n", "openjd_progress:", " ", "out_time_us=", "time=", "00:00:10.00", "Duration: ",
		"progress=end\n", "\xff", strings.Repeat("y", tailBytes-2),
	})
	rapid.Check(t, func(rt *rapid.T) {
		var o, e strings.Builder
		r := NewReader(readerAt{&o}, readerAt{&e}, nil)
		for range rapid.IntRange(1, 5).Draw(rt, "looks") {
			o.WriteString(strings.Join(rapid.SliceOfN(word, 0, 8).Draw(rt, "stdout"), ""))
			e.WriteString(strings.Join(rapid.SliceOfN(word, 0, 8).Draw(rt, "stderr"), ""))
			if v, known := r.Look(int64(o.Len()), int64(e.Len())); v < 0 || v > 100 || v != v || !known && v != 0 {
				rt.Fatalf("%v (known %v)", v, known)
			}
		}
	})
}

func TestCompileRefuses(t *testing.T) {
	for expr, want := range map[string]string{
		"(":            "missing closing",
		`(\d)(\d)(\d)`: "it has 3 groups",
	} {
		if _, err := Compile(expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", expr, err, want)
		}
	}
}
