package main

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// frameDelay is how long each frame is shown, in hundredths of a second.
const frameDelay = 7

// join makes a film, which plays for ever, of frames.
func join(words []string, output string) error {
	if len(words) == 0 {
		return errors.New("join: no frames given: PNG files, or folders of them, are wanted")
	}
	if output == "" {
		return errors.New("join: -o is missing: the file to write")
	}
	files, err := frameFiles(words)
	if err != nil {
		return err
	}
	pictures := make([]image.Image, len(files))
	for i, f := range files {
		if pictures[i], err = readPNG(f); err != nil {
			return err
		}
	}
	if err := write(output, func(w io.Writer) error { return gif.EncodeAll(w, film(pictures)) }); err != nil {
		return err
	}
	fmt.Printf("%d frames joined: %s\n", len(files), output)
	return nil
}

// frameFiles puts a folder's PNG files, by name, in the folder's place.
func frameFiles(words []string) ([]string, error) {
	var files []string
	for _, word := range words {
		info, err := os.Stat(word)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, word)
			continue
		}
		entries, err := os.ReadDir(word) // sorted
		if err != nil {
			return nil, err
		}
		before := len(files)
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".png") {
				files = append(files, filepath.Join(word, e.Name()))
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("join: folder %s holds no .png file", word)
		}
	}
	return files, nil
}

func readPNG(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// film paints the pictures in the colours that suit all of them: a GIF has 256.
func film(pictures []image.Image) *gif.GIF {
	colours := palette(pictures)
	p := painter{colours: colours, nearest: make(map[color.RGBA]uint8)}
	g := &gif.GIF{Config: image.Config{ColorModel: colours}}
	for _, pic := range pictures {
		b := pic.Bounds()
		g.Config.Width, g.Config.Height = max(g.Config.Width, b.Dx()), max(g.Config.Height, b.Dy())
		g.Image = append(g.Image, p.paint(toRGBA(pic)))
		g.Delay = append(g.Delay, frameDelay)
	}
	return g
}

// toRGBA copies a picture so that its corner is at 0, 0.
func toRGBA(pic image.Image) *image.RGBA {
	b := pic.Bounds()
	img := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(img, img.Bounds(), pic, b.Min, draw.Src)
	return img
}

// painter turns full colour into a palette's.
type painter struct {
	colours color.Palette
	nearest map[color.RGBA]uint8 // the answers so far
}

// bayer is an ordered dither. It hides the bands of a sky, stands still while
// the picture moves, and costs a GIF less than scattered errors do.
var bayer = [4][4]int{{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}}

// paint dithers one picture.
func (p *painter) paint(img *image.RGBA) *image.Paletted {
	out := image.NewPaletted(img.Bounds(), p.colours)
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			c := img.RGBAAt(x, y)
			nudge := (2*bayer[y%4][x%4] - 15) / 2
			shift := func(v uint8) uint8 { return uint8(min(255, max(0, int(v)+nudge))) }
			out.SetColorIndex(x, y, p.index(color.RGBA{shift(c.R), shift(c.G), shift(c.B), 255}))
		}
	}
	return out
}

func (p *painter) index(c color.RGBA) uint8 {
	i, known := p.nearest[c]
	if !known {
		i = uint8(p.colours.Index(c))
		p.nearest[c] = i
	}
	return i
}
