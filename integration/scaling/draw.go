package main

import (
	"bytes"
	"fmt"
	"html"
	"time"
)

// draw is a picture of the pods of several scalers over one trace, one below
// the other, with the items that wait behind them.
func draw(t trace, list []contender, results []result) []byte {
	const width, height, left, gap = 720, 110, 60, 34
	var b bytes.Buffer
	total := len(list)*(height+gap) + gap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width+left+20, total)
	fmt.Fprintln(&b, `<rect width="100%" height="100%" fill="#fff"/>`)
	end, most := time.Duration(1), 1
	for _, r := range results {
		for _, s := range r.Depth {
			end, most = max(end, s.At), max(most, s.Ready)
		}
	}
	for i, r := range results {
		top := gap + i*(height+gap)
		x := func(at time.Duration) float64 { return left + float64(at)/float64(end)*width }
		y := func(n, of int) float64 { return float64(top+height) - float64(n)/float64(of)*height }
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s: %d pods started, %d found nothing, mean wait %s</text>`+"\n",
			left, top-8, html.EscapeString(list[i].name), r.Started, r.Nothing, seconds(r.Wait))
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%d</text><text x="%d" y="%d" text-anchor="end">0</text>`+"\n", left-6, top+10, t.Max, left-6, top+height)
		fmt.Fprintf(&b, `<path fill="#ddd" d="M%d %d`, left, top+height)
		for _, s := range r.Depth {
			fmt.Fprintf(&b, "L%.1f %.1f", x(s.At), y(s.Ready, most))
		}
		fmt.Fprintf(&b, `L%.1f %dz"/>`+"\n", x(r.Depth[len(r.Depth)-1].At), top+height)
		fmt.Fprintf(&b, `<path fill="none" stroke="#06c" stroke-width="1.5" d="M%d %d`, left, top+height)
		for _, s := range r.Depth {
			fmt.Fprintf(&b, "L%.1f %.1f", x(s.At), y(s.Pods, t.Max))
		}
		fmt.Fprintln(&b, `"/>`)
		fmt.Fprintf(&b, `<path stroke="#888" d="M%d %dH%d"/>`+"\n", left, top+height, left+width)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">pods (blue) of at most %d, and items that wait (grey), over %s</text>`+"\n", left, total-8, t.Max, end.Round(time.Second))
	fmt.Fprintln(&b, "</svg>")
	return b.Bytes()
}
