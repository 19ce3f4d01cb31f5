package command

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"sluice.dev/internal/payload"
)

// BenchmarkHandle runs true as an item and bare, by turns, since the price of
// a process varies with what else the machine does.
func BenchmarkHandle(b *testing.B) {
	path, err := exec.LookPath("true")
	if err != nil {
		b.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	attr := &os.ProcAttr{Env: os.Environ(), Files: []*os.File{null, null, null}}
	// Two arguments, since GNU true reads locales for a single one.
	argv := []string{"true", "x", "x"}
	bare := func() {
		p, err := os.StartProcess(path, argv, attr)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	h := newHandler(b, Options{ItemDeadline: time.Hour, Stall: time.Hour}, "true", "{}", "{}")
	a := attempt(b, payload.Payload{Arg: "x", N: 1})
	item := func() {
		if err := h.Handle(b.Context(), a); err != nil {
			b.Fatal(err)
		}
	}
	var bares, items []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		t0 := time.Now()
		bare()
		t1 := time.Now()
		item()
		bares, items = append(bares, t1.Sub(t0)), append(items, time.Since(t1))
	}
	b.ReportMetric(float64(median(bares)), "ns/bare")
	b.ReportMetric(float64(median(items)), "ns/item")
	b.ReportMetric(float64(median(items))/float64(median(bares)), "item/bare")
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
