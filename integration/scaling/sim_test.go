package main

import (
	"bytes"
	"testing"
	"time"

	"sluice.dev/coordinator"
)

func TestEveryScalerDoesEveryItem(t *testing.T) {
	for _, tr := range traces(20_000) {
		for _, c := range contenders(tr) {
			r := simulate(tr, c.scaler, 1)
			if r.Peak < 1 || r.Peak > tr.Max && c.name == "sluice" {
				t.Errorf("%s, %s: %d pods at once, at most %d are allowed", tr.Name, c.name, r.Peak, tr.Max)
			}
			if r.Started < r.Nothing {
				t.Errorf("%s, %s: %d of %d pods found nothing", tr.Name, c.name, r.Nothing, r.Started)
			}
			if c.one() && r.Started-r.Nothing != len(tr.Items) {
				t.Errorf("%s, %s: %d pods did an item each, there were %d items", tr.Name, c.name, r.Started-r.Nothing, len(tr.Items))
			}
		}
	}
}

func TestOneItemIsDoneByOnePod(t *testing.T) {
	tr := trace{Items: []arrival{{At: time.Minute, Takes: 5 * time.Second}}, Max: 10, Start: 2 * time.Second}
	r := simulate(tr, sluice{coordinator.Options{Max: 10}, 30 * time.Second}, 1)
	if r.Started != 1 || r.Nothing != 0 || r.Wait < 2*time.Second || r.Wait > 4*time.Second+reaction {
		t.Errorf("got %+v, want one pod that started within twice 2 s", r)
	}
	if want := r.Wait + 5*time.Second; r.Drained != want {
		t.Errorf("drained after %v, want %v", r.Drained, want)
	}
}

func TestAPodIsThereForSeveralItems(t *testing.T) {
	tr := trace{Items: make([]arrival, 100), Max: 50, Start: 2 * time.Second}
	for i := range tr.Items {
		tr.Items[i].Takes = time.Second
	}
	r := simulate(tr, sluice{coordinator.Options{Max: 50, ItemsPerWorker: 20}, 30 * time.Second}, 1)
	if r.Started != 5 || r.Peak != 5 || r.Nothing != 0 {
		t.Errorf("got %d pods, %d at once, %d found nothing; want 5 for 100 items at 20 a pod", r.Started, r.Peak, r.Nothing)
	}
}

func TestAMinimumIsKept(t *testing.T) {
	tr := trace{Items: []arrival{{At: 10 * time.Minute, Takes: time.Second}}, Max: 10, Start: 2 * time.Second}
	r := simulate(tr, sluice{coordinator.Options{Min: 3, Max: 10}, 30 * time.Second}, 1)
	if r.Started != 3 || r.Wait != 0 {
		t.Errorf("got %+v, want the three pods that were there", r)
	}
}

func TestKedasFormulas(t *testing.T) {
	for _, c := range []struct {
		strategy                       strategy
		ready, busy, starting, maximum int
		want                           int
	}{
		{byDefault, 10, 0, 0, 100, 10},
		{byDefault, 10, 5, 0, 100, 10}, // 15 long, 5 run
		{byDefault, 200, 0, 90, 100, 10},
		{accurate, 10, 5, 0, 100, 10},
		{accurate, 10, 5, 4, 100, 6},   // 4 are pending
		{accurate, 98, 5, 0, 100, 95},  // up to the maximum
		{eager, 10, 5, 3, 100, 10},     // what is free is 89
		{eager, 100, 60, 10, 100, 20},  // 100 - 70 - 10
		{eager, 0, 0, 0, 100, 0},       // nothing waits
		{accurate, 5, 100, 0, 100, 0},  // full
		{byDefault, 0, 20, 30, 100, 0}, // no fewer than none
	} {
		cl := &cluster{ready: make([]int, c.ready), busy: c.busy, starting: c.starting}
		if got := (keda{strategy: c.strategy, max: c.maximum}).scale(cl); got != c.want {
			t.Errorf("%s with %d ready, %d busy and %d starting of %d: %d more, want %d", c.strategy, c.ready, c.busy, c.starting, c.maximum, got, c.want)
		}
	}
}

func TestTheSameSeedGivesTheSameTable(t *testing.T) {
	var one, two bytes.Buffer
	for _, w := range []*bytes.Buffer{&one, &two} {
		if err := run(w, "", 1000); err != nil {
			t.Fatal(err)
		}
	}
	if one.String() != two.String() {
		t.Error("two runs differ")
	}
}
