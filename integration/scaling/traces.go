package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// trace is when items arrive and how long each takes.
type trace struct {
	Name, Says string
	Items      []arrival
	Max        int           // pods
	Start      time.Duration // a pod takes this long to start, and up to twice as long
	SlowNodes  float64       // share of the pods that land on a node that is eight times slower
	PerWorker  int           // items that a pod is there for, for those that can say so; 0: none do
}

type arrival struct{ At, Takes time.Duration }

// Length is when the last item arrives.
func (t trace) Length() time.Duration {
	if len(t.Items) == 0 {
		return 0
	}
	return t.Items[len(t.Items)-1].At
}

// traces are made anew each time, and are the same each time.
func traces(largest int) []trace {
	r := rand.New(rand.NewPCG(2026, 7))
	about := func(d time.Duration) time.Duration { // half of d to one and a half
		return d/2 + time.Duration(r.Int64N(int64(d)))
	}
	burst := trace{Name: "A burst", Says: "1,000 items of about 20 s at once", Max: 100, Start: 2 * time.Second}
	for range 1000 {
		burst.Items = append(burst.Items, arrival{0, about(20 * time.Second)})
	}
	bursts := trace{Name: "Bursts", Says: "300 items of about 10 s every 5 minutes, an hour long", Max: 100, Start: 2 * time.Second}
	for at := time.Duration(0); at < time.Hour; at += 5 * time.Minute {
		for range 300 {
			bursts.Items = append(bursts.Items, arrival{at, about(10 * time.Second)})
		}
	}
	trickle := trace{Name: "A trickle", Says: "An item of 100 ms a second for 10 minutes", Max: 10, Start: 2 * time.Second}
	for i := range 600 {
		trickle.Items = append(trickle.Items, arrival{time.Duration(i) * time.Second, 100 * time.Millisecond})
	}
	tail := trace{Name: "A long tail", Says: "2,000 items within 10 minutes, half of them below 5 s, one in a hundred above 2 minutes", Max: 50, Start: 2 * time.Second}
	for range 2000 {
		takes := time.Duration(5 * float64(time.Second) * math.Exp(1.4*r.NormFloat64()))
		tail.Items = append(tail.Items, arrival{time.Duration(r.Int64N(int64(10 * time.Minute))), takes})
	}
	slices.SortStableFunc(tail.Items, func(a, b arrival) int { return cmp.Compare(a.At, b.At) })
	slow := trace{Name: "Slow nodes", Says: "1,000 items of about 20 s at once, one pod in ten on a node that is eight times slower", Max: 100, Start: 2 * time.Second, SlowNodes: 0.1, Items: burst.Items}
	starts := trace{Name: "Slow starts", Says: "As the bursts, with images that are pulled", Max: 100, Start: 40 * time.Second, Items: bursts.Items}
	large := trace{Name: "A million", Says: "A million items of about 30 s within an hour", Max: 10_000, Start: 5 * time.Second}
	for range largest {
		large.Items = append(large.Items, arrival{time.Duration(r.Int64N(int64(time.Hour))), about(30 * time.Second)})
	}
	slices.SortStableFunc(large.Items, func(a, b arrival) int { return cmp.Compare(a.At, b.At) })
	short := trace{Name: "Short items", Says: "3,000 items of about 200 ms every 5 minutes, half an hour long", Max: 100, Start: 2 * time.Second, PerWorker: 100}
	for at := time.Duration(0); at < 30*time.Minute; at += 5 * time.Minute {
		for range 3000 {
			short.Items = append(short.Items, arrival{at, about(200 * time.Millisecond)})
		}
	}
	return []trace{burst, bursts, trickle, tail, slow, starts, short, large}
}
