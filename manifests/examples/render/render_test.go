package main

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFrameHasTheSameBytesEveryTime(t *testing.T) {
	dir := t.TempDir()
	draw := func(n, name string) []byte {
		path := filepath.Join(dir, name)
		if err := run([]string{"frame", n, "-o", path}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := draw("08", "a.png")
	if !bytes.Equal(first, draw("8", "b.png")) {
		t.Error("frame 8 drawn twice has different bytes")
	}
	if bytes.Equal(first, draw("9", "c.png")) {
		t.Error("frames 8 and 9 are the same picture")
	}
	img, err := png.Decode(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := img.Bounds(), image.Rect(0, 0, 320, 180); got != want {
		t.Errorf("frame is %v, want %v", got, want)
	}
}

func TestAPartOfALongerFilm(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "part")
	if err := run([]string{"frames", "7", "8", "-of", "96", "-width", "64", "-o", folder}); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(names) != 2 || filepath.Base(names[0]) != "0007.png" {
		t.Fatalf("drawn: %v, %v", names, err)
	}
	// Frame 7 of 96 is the same moment as frame 4 of 48.
	img, err := readPNG(names[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := render(4, format{usualLength, 64}); !bytes.Equal(toRGBA(img).Pix, want.Pix) {
		t.Error("frame 7 of 96 is not frame 4 of 48")
	}
}

func TestTheLastFrameLeadsIntoTheFirst(t *testing.T) {
	start, end := necklace(0), necklace(1)
	for i := range start {
		if d := start[i].centre.sub(end[i].centre); math.Sqrt(d.dot(d)) > 1e-9 {
			t.Fatalf("bead %d is at %v and a turn later at %v", i, start[i].centre, end[i].centre)
		}
	}
}

func TestBeadsAreStrungEvenly(t *testing.T) {
	all := necklace(0.4)
	low, high := math.Inf(1), 0.0
	for i := range all {
		d := all[i].centre.sub(all[(i+1)%len(all)].centre)
		gap := math.Sqrt(d.dot(d))
		low, high = math.Min(low, gap), math.Max(high, gap)
	}
	if high > 1.05*low {
		t.Errorf("gaps between beads are %.4f to %.4f", low, high)
	}
}

func TestJoinKeepsTheOrderOfNames(t *testing.T) {
	dir := t.TempDir()
	colours := []color.RGBA{{200, 40, 40, 255}, {40, 200, 40, 255}, {40, 40, 200, 255}}
	for i, name := range []string{"frame-1.png", "frame-2.png", "frame-3.png"} {
		img := image.NewRGBA(image.Rect(0, 0, 8, 6))
		for p := range 8 * 6 {
			img.SetRGBA(p%8, p/8, colours[i])
		}
		if err := write(filepath.Join(dir, name), func(w io.Writer) error { return png.Encode(w, img) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "film.gif")
	if err := run([]string{"join", dir, "-o", path}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := gif.DecodeAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Image) != len(colours) || g.Config.Width != 8 || g.Config.Height != 6 || g.LoopCount != 0 {
		t.Fatalf("film has %d frames of %dx%d, loop count %d; want 3 of 8x6, 0", len(g.Image), g.Config.Width, g.Config.Height, g.LoopCount)
	}
	for i, want := range colours {
		got := color.RGBAModel.Convert(g.Image[i].At(3, 3)).(color.RGBA)
		if off(got.R, want.R) > 8 || off(got.G, want.G) > 8 || off(got.B, want.B) > 8 {
			t.Errorf("frame %d is %v, want about %v", i+1, got, want)
		}
	}
}

func off(a, b uint8) int { return max(int(a), int(b)) - min(int(a), int(b)) }

func TestAPaletteHas256ColoursAtTheMost(t *testing.T) {
	many := image.NewRGBA(image.Rect(0, 0, 256, 256))
	for y := range 256 {
		for x := range 256 {
			many.SetRGBA(x, y, color.RGBA{uint8(x), uint8(y), uint8(x ^ y), 255})
		}
	}
	if n := len(palette([]image.Image{many})); n != 256 {
		t.Errorf("palette of many colours has %d, want 256", n)
	}
	if n := len(palette([]image.Image{image.NewRGBA(image.Rect(0, 0, 4, 4))})); n != 1 {
		t.Errorf("palette of one colour has %d, want 1", n)
	}
}

func TestBadInputNamesTheFieldAndWhatIsAllowed(t *testing.T) {
	empty := t.TempDir()
	for _, tc := range []struct {
		argv string
		want string
	}{
		{"", "frame, frames and join are allowed"},
		{"spin", `verb "spin"`},
		{"frame -o x.png", "0 numbers given"},
		{"frame 49 -o x.png", `number "49": 1 to 48`},
		{"frame 0 -o x.png", `number "0": 1 to 48`},
		{"frame one -o x.png", `number "one": 1 to 48`},
		{"frame 1", "-o is missing"},
		{"frame 1 -of 10000 -o x.png", "-of 10000: 1 to 9999"},
		{"frame 1 -width 100 -o x.png", "-width 100: 32 to 3840 in steps of 32"},
		{"frames 1 -o x", "1 numbers given"},
		{"frames 3 2 -o x", "last 2 comes before first 3"},
		{"frames 1 9 -of 8 -o x", `number "9": 1 to 8`},
		{"frames 1 2", "-o is missing"},
		{"frame 1 -p x.png", "-p"},
		{"join -o x.gif", "no frames given"},
		{"join " + empty, "-o is missing"},
		{"join " + empty + " -o x.gif", "holds no .png file"},
	} {
		err := run(strings.Fields(tc.argv))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("render %s: error %v, want one with %q", tc.argv, err, tc.want)
		}
	}
}
