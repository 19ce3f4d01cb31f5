package main

import "math"

// The necklace: beads on a trefoil knot.
const (
	beads      = 78
	beadRadius = 0.083
	knotScale  = 0.36
	knotHeight = 1.24 // of its centre above the water
	knotReach  = 3.1*knotScale + 2*beadRadius
)

// bead is one pearl of the necklace.
type bead struct {
	centre vec
	radius float64
	colour vec
}

// trefoil is the knot's curve, for t from 0 to 2 pi, of size 3.
func trefoil(t float64) vec {
	return vec{
		math.Sin(t) + 2*math.Sin(2*t),
		math.Cos(t) - 2*math.Cos(2*t),
		-1.15 * math.Sin(3*t),
	}
}

// necklace strings the beads evenly along the knot. In a whole turn, which is
// phase 0 to 1, the knot turns once about the vertical and the beads run on
// by three places, so that the last frame leads into the first.
func necklace(phase float64) []bead {
	const steps = 6000
	var length [steps + 1]float64
	last := trefoil(0)
	for i := 1; i <= steps; i++ {
		p := trefoil(2 * math.Pi * float64(i) / steps)
		d := p.sub(last)
		length[i] = length[i-1] + math.Sqrt(d.dot(d))
		last = p
	}

	all := make([]bead, beads)
	at := 0
	for i := range all {
		share := (float64(i) + math.Mod(3*phase, 1)) / beads
		for at < steps && length[at] < share*length[steps] {
			at++
		}
		t := 2 * math.Pi * float64(at) / steps
		c := trefoil(t).scale(knotScale).turn(2 * math.Pi * phase)
		all[i] = bead{
			centre: c.add(vec{0, knotHeight, 0}),
			radius: beadRadius * (1 + 0.22*math.Sin(3*t+6*math.Pi*phase)),
			colour: pearl(share),
		}
	}
	return all
}

// pearl is the colour at a share of the way along the knot: from coral over
// gold and jade to violet, and round again.
func pearl(share float64) vec {
	wave := func(shift float64) float64 { return 0.5 + 0.5*math.Cos(2*math.Pi*(share+shift)) }
	return vec{
		0.10 + 0.85*wave(0),
		0.06 + 0.55*wave(-0.32),
		0.08 + 0.70*wave(-0.64),
	}
}
