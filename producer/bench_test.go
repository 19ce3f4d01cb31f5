package producer

import (
	"context"
	"testing"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

func perSecond(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

func BenchmarkLines(b *testing.B) {
	b.ReportAllocs()
	for _, err := range Lines(&lineSource{n: b.N}, "in", LineOptions{}) {
		if err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b)
}

func BenchmarkMake(b *testing.B) {
	file := b.TempDir() + "/in"
	oldFile(b, file, "x")
	out := func(pl payload.Payload) (string, error) { return pl.Arg + ".png", nil }
	for _, c := range []struct {
		name, arg string
		o         MakerOptions
	}{
		{"words", "shot 12", MakerOptions{}},
		{"file", file, MakerOptions{}},
		{"file with output", file, MakerOptions{Output: out}},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := newMaker(b, c.o)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Make(b.Context(), 1, arg(c.arg)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// taker is a queue that costs nothing.
type taker struct{ outcomes []queue.Outcome }

func (q taker) Enqueue(_ context.Context, items []queue.Item) ([]queue.Outcome, error) {
	return q.outcomes[:len(items)], nil
}

func newTaker() taker {
	var q taker
	for range maxCallItems {
		q.outcomes = append(q.outcomes, queue.Added)
	}
	return q
}

func BenchmarkEnqueue(b *testing.B) {
	b.ReportAllocs()
	lines := Lines(&lineSource{n: b.N}, "in", LineOptions{})
	if _, err := Enqueue(b.Context(), newTaker(), lines, newMaker(b, MakerOptions{}), EnqueueOptions{}); err != nil {
		b.Fatal(err)
	}
	perSecond(b)
}

func BenchmarkCheck(b *testing.B) {
	b.ReportAllocs()
	lines := Lines(&lineSource{n: b.N}, "in", LineOptions{})
	if _, err := Check(b.Context(), lines, newMaker(b, MakerOptions{}), Outputs{}); err != nil {
		b.Fatal(err)
	}
	perSecond(b)
}
