package redisqueue_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
)

// What an item costs, in counts that no busy machine changes.

// info is the number after a name in a section of INFO.
func (d *bed) info(section, name string) int {
	d.Helper()
	text, err := d.raw.Info(context.Background(), section).Result()
	if err != nil {
		d.Fatal(err)
	}
	_, rest, ok := strings.Cut(text, name)
	if !ok {
		d.Fatalf("INFO %s has no %s", section, name)
	}
	digits := strings.TrimRight(rest[:min(20, len(rest))], "\r\n")
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = digits[:i]
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		d.Fatal(err)
	}
	return n
}

// commands is how many the server has run, those of scripts too, and how many
// of them were scripts.
func (d *bed) commands() (all, scripts int) {
	d.Helper()
	text, err := d.raw.Info(context.Background(), "commandstats").Result()
	if err != nil {
		d.Fatal(err)
	}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":calls=")
		if !ok || name == "cmdstat_info" {
			continue
		}
		calls, _, _ := strings.Cut(rest, ",")
		n, err := strconv.Atoi(calls)
		if err != nil {
			d.Fatal(err)
		}
		all += n
		if name == "cmdstat_evalsha" {
			scripts += n
		}
	}
	return all, scripts
}

// cost runs f on n items and fails where it takes more than this many round
// trips, and more than most commands of the server for one item.
func (d *bed) cost(what string, n, trips int, most float64, f func()) {
	d.Helper()
	all, scripts := d.commands()
	f()
	allNow, scriptsNow := d.commands()
	perItem := float64(allNow-all) / float64(n)
	d.Logf("%s: %d round trips and %.2f commands an item, of %d items", what, scriptsNow-scripts, perItem, n)
	if scriptsNow-scripts != trips {
		d.Errorf("%s of %d items took %d round trips, want %d", what, n, scriptsNow-scripts, trips)
	}
	if perItem > most {
		d.Errorf("%s took %.2f commands an item, want at most %.2f", what, perItem, most)
	}
}

func TestManyItemsShareARoundTripAndItsCommands(t *testing.T) {
	d := newBed(t, redistest.Start(t).URL())
	d.Fill(200, 100, 1) // the server learns the scripts
	d.Lockstep(200, 50)
	d.cost("enqueue, 100 a call", 1000, 10, 0.2, func() { d.Fill(1000, 100, 1) })
	d.cost("exchange, 50 a call", 1000, 21, 0.7, func() { d.Lockstep(1000, 50) })
}

func TestAnItemAllocatesLittle(t *testing.T) {
	d := newBed(t, redistest.Start(t).URL())
	session := d.Queue.Session("w")
	var settle []queue.Settlement
	batches := make([][]queue.Item, 0, 32)
	for range cap(batches) {
		batches = append(batches, d.Items(100))
	}
	enqueue := testing.AllocsPerRun(20, func() {
		if _, err := d.Queue.Enqueue(t.Context(), batches[0]); err != nil {
			t.Fatal(err)
		}
		batches = batches[1:]
	}) / 100
	exchange := testing.AllocsPerRun(20, func() {
		r, err := session.Exchange(t.Context(), settle, 50)
		if err != nil || len(r.Leases) != 50 {
			t.Fatalf("%d leases, %v", len(r.Leases), err)
		}
		settle = settle[:0]
		for _, l := range r.Leases {
			settle = append(settle, queue.Settlement{Lease: l, Verb: queue.Ack})
		}
	}) / 50
	t.Logf("allocations an item: enqueue %.1f, exchange %.1f", enqueue, exchange)
	if enqueue > 12 || exchange > 16 {
		t.Errorf("allocations an item: enqueue %.1f, want at most 12; exchange %.1f, want at most 16", enqueue, exchange)
	}
}

func TestAnItemTakesLittleMemory(t *testing.T) {
	const n = 20_000
	d := newBed(t, redistest.Start(t).URL())
	d.Fill(1000, 1000, 1)
	start := d.info("memory", "used_memory:")
	d.Fill(n, 1000, 1)
	queued := float64(d.info("memory", "used_memory:")-start) / n
	d.Lockstep(n+1000, 1000)
	done := float64(d.info("memory", "used_memory:")-start) / (n + 1000)
	t.Logf("bytes of an item with a payload of 200: queued %.0f, done %.0f", queued, done)
	if queued > 400 || done > 150 {
		t.Errorf("bytes of an item: queued %.0f, want at most 400; done %.0f, want at most 150", queued, done)
	}
}
