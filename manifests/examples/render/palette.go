package main

import (
	"cmp"
	"image"
	"image/color"
	"slices"
)

// shade is a colour of the pictures, in steps of 8, and how often it occurs.
type shade struct {
	rgb   [3]uint8
	count int
}

// palette chooses 256 colours, or fewer, by cutting at the median: the box of
// colours that holds the most error is cut in two at its widest side, until
// there are enough boxes, and the mean of each is a colour.
func palette(pictures []image.Image) color.Palette {
	boxes := []box{newBox(shades(pictures))}
	for len(boxes) < 256 {
		worst := 0
		for i := range boxes {
			if boxes[i].weight() > boxes[worst].weight() {
				worst = i
			}
		}
		if boxes[worst].weight() == 0 {
			break // every box is one colour
		}
		low, high := boxes[worst].cut()
		boxes[worst] = low
		boxes = append(boxes, high)
	}
	p := make(color.Palette, len(boxes))
	for i, b := range boxes {
		p[i] = b.mean()
	}
	return p
}

// shades counts the pictures' colours, in the order of their values.
func shades(pictures []image.Image) []shade {
	counts := make(map[[3]uint8]int)
	for _, pic := range pictures {
		b := pic.Bounds()
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				c := color.RGBAModel.Convert(pic.At(x, y)).(color.RGBA)
				counts[[3]uint8{c.R&^7 | 4, c.G&^7 | 4, c.B&^7 | 4}]++
			}
		}
	}
	all := make([]shade, 0, len(counts))
	for rgb, n := range counts {
		all = append(all, shade{rgb, n})
	}
	slices.SortFunc(all, func(a, b shade) int { return slices.Compare(a.rgb[:], b.rgb[:]) })
	return all
}

// box is a set of shades that share a colour of the palette.
type box struct {
	shades []shade
	count  int
	side   int // the channel in which the box is widest
	width  int
}

func newBox(shades []shade) box {
	b := box{shades: shades}
	for side := range 3 {
		low, high := 255, 0
		for _, s := range shades {
			low, high = min(low, int(s.rgb[side])), max(high, int(s.rgb[side]))
		}
		if high-low > b.width {
			b.side, b.width = side, high-low
		}
	}
	for _, s := range shades {
		b.count += s.count
	}
	return b
}

// weight grows with the error that one colour for the box would be; 0 if none.
// Width counts for more than number, so that small bright things keep theirs.
func (b box) weight() int { return b.width * b.width * min(b.count, 20_000) }

// cut divides a box of several shades into two that hold about as many pixels.
func (b box) cut() (low, high box) {
	slices.SortStableFunc(b.shades, func(x, y shade) int { return cmp.Compare(x.rgb[b.side], y.rgb[b.side]) })
	at, seen := 1, b.shades[0].count
	for at < len(b.shades)-1 && seen+b.shades[at].count <= b.count/2 {
		seen += b.shades[at].count
		at++
	}
	return newBox(b.shades[:at]), newBox(b.shades[at:])
}

func (b box) mean() color.Color {
	var sum [3]int
	for _, s := range b.shades {
		for i, v := range s.rgb {
			sum[i] += int(v) * s.count
		}
	}
	return color.RGBA{uint8(sum[0] / b.count), uint8(sum[1] / b.count), uint8(sum[2] / b.count), 255}
}
