package main

import (
	"image"
	"image/color"
	"math"
)

// The film.
const (
	usualLength = 48 // frames
	maxLength   = 9999
	usualWidth  = 320 // pixels
	maxWidth    = 3840
	samples     = 3 // squared rays a pixel
)

var (
	keyLight = vec{-0.55, 0.75, 0.65}.unit() // from the viewer's left, a white one
	sun      = vec{0.40, 0.085, -1}.unit()   // low behind the knot
)

// scene is one moment of the film.
type scene struct {
	phase float64 // 0 to 1 through the whole film
	beads []bead
}

// format is what all frames of a film have in common.
type format struct {
	length int // in frames
	width  int // in pixels, of which it is 9/16 high
}

// render draws frame n of a film, 1 to its length. The same frame has the same
// pixels every time.
func render(n int, f format) *image.RGBA {
	phase := float64(n-1) / float64(f.length)
	width, height := f.width, f.width*9/16
	s := &scene{phase: phase, beads: necklace(phase)}

	eye, target := vec{0, 1.0, 5.0}, vec{0, 0.72, 0}
	forward := target.sub(eye).unit()
	right := forward.cross(vec{0, 1, 0}).unit()
	up := right.cross(forward)

	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			var sum vec
			for i := range samples * samples {
				px := float64(x) + (float64(i%samples)+0.5)/samples - float64(width)/2
				py := float64(height)/2 - float64(y) - (float64(i/samples)+0.5)/samples
				lens := 1.36 * float64(height) // pixels to the picture's plane
				d := forward.scale(lens).add(right.scale(px)).add(up.scale(py))
				sum = sum.add(develop(s.look(eye, d.unit(), 3)))
			}
			img.SetRGBA(x, y, pixel(sum.scale(1.0/(samples*samples))))
		}
	}
	return img
}

// look is the light that comes to p from direction d, after at most this many
// reflections.
func (s *scene) look(p, d vec, bounces int) vec {
	dist, hit := s.nearest(p, d)
	if d.y < 0 {
		if water := -p.y / d.y; water < dist {
			return s.water(p.add(d.scale(water)), d, water, bounces)
		}
	}
	if hit == nil {
		return sky(d)
	}
	at := p.add(d.scale(dist))
	return s.shade(hit, at, d, bounces)
}

// nearest is the first bead on a ray and its distance, or nil and infinity.
func (s *scene) nearest(p, d vec) (float64, *bead) {
	best, hit := math.Inf(1), (*bead)(nil)
	if !reaches(p.sub(vec{0, knotHeight, 0}), d, knotReach) {
		return best, hit
	}
	for i := range s.beads {
		b := &s.beads[i]
		o := p.sub(b.centre)
		half := o.dot(d)
		root := half*half - o.dot(o) + b.radius*b.radius
		if root < 0 {
			continue
		}
		if t := -half - math.Sqrt(root); t > 1e-4 && t < best {
			best, hit = t, b
		}
	}
	return best, hit
}

// reaches tells whether a ray from o meets the sphere of radius r about 0.
func reaches(o, d vec, r float64) bool {
	half, c := o.dot(d), o.dot(o)-r*r
	return c < 0 || half < 0 && half*half >= c
}

// shade is the light of a bead: lacquer over its colour.
func (s *scene) shade(b *bead, at, d vec, bounces int) vec {
	n := at.sub(b.centre).unit()
	at = at.add(n.scale(1e-4))

	above := 0.5 + 0.5*n.y
	light := vec{0.20, 0.13, 0.18}.mix(vec{0.30, 0.34, 0.56}, above)
	light = light.add(vec{1.0, 0.42, 0.16}.scale(1.3 * math.Max(0, n.dot(sun)+0.15)))
	shine := 0.0
	if k := n.dot(keyLight); k > 0 {
		if _, shadow := s.nearest(at, keyLight); shadow == nil {
			light = light.add(vec{1.25, 1.18, 1.08}.scale(k))
			shine = math.Pow(math.Max(0, d.mirror(n).dot(keyLight)), 90)
		}
	}
	out := b.colour.mul(light).add(vec{2.2, 2.1, 2.0}.scale(shine))
	if bounces == 0 {
		return out
	}
	return out.mix(s.look(at, d.mirror(n), bounces-1), fresnel(0.05, -d.dot(n)))
}

// water is the light that comes off the surface at a point that a ray in
// direction d met after dist.
func (s *scene) water(at, d vec, dist float64, bounces int) vec {
	// Four waves, each in step with the film's length. They fade with the
	// distance, where a pixel would hold too many of them.
	calm := 0.032 / (1 + 0.012*dist*dist)
	slope := vec{}
	for _, w := range [...]struct{ x, z, runs float64 }{
		{1.7, 4.3, 1}, {-3.9, 6.1, 2}, {6.8, 9.7, -2}, {-9.3, 14.9, 3},
	} {
		c := calm * math.Cos(w.x*at.x+w.z*at.z+2*math.Pi*w.runs*s.phase) / (0.5 + 0.1*math.Abs(w.z))
		slope = slope.add(vec{c * w.x / 6, 0, c * w.z / 6})
	}
	n := vec{-slope.x, 1, -slope.z}.unit()

	deep := vec{0.012, 0.022, 0.055}
	if bounces == 0 {
		return deep
	}
	r := d.mirror(n)
	r.y = math.Max(r.y, 1e-3) // a wave's back would look under the horizon
	return deep.mix(s.look(at, r.unit(), bounces-1), fresnel(0.10, -d.dot(n)))
}

// fresnel is the share of light that is reflected at this cosine, from the
// share that is reflected straight on.
func fresnel(straight, cos float64) float64 {
	k := 1 - math.Max(0, cos)
	return straight + (1-straight)*k*k*k*k*k
}

// sky is the light of the dusk in direction d, which points upwards.
func sky(d vec) vec {
	h := math.Max(0, d.y)
	c := vec{0.72, 0.22, 0.10}.
		mix(vec{0.34, 0.075, 0.17}, smooth(0, 0.14, h)).
		mix(vec{0.055, 0.035, 0.15}, smooth(0.06, 0.36, h)).
		mix(vec{0.008, 0.014, 0.055}, smooth(0.25, 0.9, h))
	near := math.Max(0, d.dot(sun))
	glow := 0.30*math.Pow(near, 12) + 0.9*math.Pow(near, 170)
	c = c.add(vec{1.0, 0.50, 0.18}.scale(glow))
	return c.add(vec{6, 4.2, 2.4}.scale(smooth(0.99905, 0.99935, near)))
}

// smooth rises from 0 at a to 1 at b without a corner.
func smooth(a, b, x float64) float64 {
	x = math.Min(1, math.Max(0, (x-a)/(b-a)))
	return x * x * (3 - 2*x)
}

// develop turns light, which has no upper end, into a picture's 0 to 1.
func develop(c vec) vec {
	curve := func(v float64) float64 { return math.Pow(1-math.Exp(-1.25*v), 1/2.2) }
	return vec{curve(c.x), curve(c.y), curve(c.z)}
}

func pixel(c vec) color.RGBA {
	eight := func(v float64) uint8 { return uint8(math.Round(255 * v)) }
	return color.RGBA{eight(c.x), eight(c.y), eight(c.z), 255}
}
