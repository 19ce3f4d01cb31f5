package redisqueue_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice.dev/internal/queuebench"
	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
)

// The benchmarks hold the queue against what the same server can do at all:
// SETs of the same payload over one connection, 1, 16 or 64 in a pipeline. Both
// take turns in one run, so that a machine that is busy slows both, and what
// counts is the median ratio, in x-SET16 and the like, and the server's own
// time for an item beside that for such a SET. items/s is of this machine alone.

// bed is a store under measurement, with a raw client and one queue.
type bed struct {
	*queuebench.Load
	raw   *redis.Client
	url   string
	rates queuebench.Rounds
	costs map[string][]float64 // microseconds of the server for an item
}

const roundItems = 1000 // of each thing that takes turns

func newBed(tb testing.TB, url string) *bed {
	o, err := redis.ParseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	raw := redis.NewClient(o)
	tb.Cleanup(func() { _ = raw.Close() })
	return &bed{
		Load: &queuebench.Load{TB: tb, Queue: queue.New(harness(url).Open(tb, "bench"))},
		raw:  raw, url: url, rates: queuebench.Rounds{}, costs: map[string][]float64{},
	}
}

// each runs f on each kind of store.
func each(b *testing.B, f func(b *testing.B, url string)) {
	b.Run("redis", func(b *testing.B) { f(b, redistest.Start(b).URL()) })
	b.Run("embedded", func(b *testing.B) { f(b, embeddedStore(b)) })
}

// timed notes how many of a round's items a second f does, and what an item costs
// the server.
func (d *bed) timed(name string, f func()) {
	before := d.cpu()
	d.rates.Time(name, roundItems, f)
	d.costs[name] = append(d.costs[name], float64((d.cpu()-before).Microseconds())/roundItems)
}

// cpu is how much time the server's main thread has used, or 0 where it does not tell.
func (d *bed) cpu() (sum time.Duration) {
	info, err := d.raw.Info(context.Background(), "cpu").Result()
	if err != nil {
		return 0
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_user_main_thread" || name == "used_cpu_sys_main_thread" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				d.Fatal(err)
			}
			sum += time.Duration(seconds * float64(time.Second))
		}
	}
	return sum
}

// limits measures what the server can do at all.
func (d *bed) limits() {
	payload := queuebench.Payload()
	for _, width := range []int{1, 16, 64} {
		d.timed("SET"+strconv.Itoa(width), func() {
			for i := 0; i < roundItems; i += width {
				pipe := d.raw.Pipeline()
				for j := range min(width, roundItems-i) {
					pipe.Set(context.Background(), strconv.Itoa(i+j), payload, 0)
				}
				if _, err := pipe.Exec(context.Background()); err != nil {
					d.Fatal(err)
				}
			}
		})
	}
}

// report gives medians over the rounds: of the rate and of its ratios to the
// limits.
func (d *bed) report(b *testing.B, name string) {
	b.ReportMetric(0, "ns/op") // of a round, which says nothing
	b.ReportMetric(queuebench.Median(d.rates[name]), "items/s")
	for _, limit := range []string{"SET1", "SET16", "SET64"} {
		b.ReportMetric(d.rates.Ratio(name, limit), "x-"+limit)
	}
	if cost := queuebench.Median(d.costs[name]); cost > 0 {
		b.ReportMetric(cost, "server-us/item")
		b.ReportMetric(queuebench.Median(d.costs["SET16"]), "server-us/SET16")
	}
}

func BenchmarkEnqueue(b *testing.B) {
	each(b, func(b *testing.B, url string) {
		for _, call := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("call=%d", call), func(b *testing.B) {
				d := newBed(b, url)
				defer func() { _ = d.Queue.Drop(context.Background()) }()
				for b.Loop() {
					d.limits()
					d.timed("enqueue", func() { d.Fill(roundItems, call, 1) })
				}
				d.report(b, "enqueue")
			})
		}
	})
}

func BenchmarkWork(b *testing.B) {
	each(b, func(b *testing.B, url string) {
		for _, slots := range []int{1, 10, 50, 200} {
			for _, by := range []struct {
				name string
				work func(l *queuebench.Load, n, slots int)
			}{
				{"dispatcher", (*queuebench.Load).Dispatch},
				{"lockstep", (*queuebench.Load).Lockstep},
				{"single", (*queuebench.Load).Single},
			} {
				b.Run(fmt.Sprintf("%s/slots=%d", by.name, slots), func(b *testing.B) {
					d := newBed(b, url)
					defer func() { _ = d.Queue.Drop(context.Background()) }()
					for b.Loop() {
						d.Fill(roundItems, 1000, 1)
						d.limits()
						d.timed("work", func() { by.work(d.Load, roundItems, slots) })
					}
					d.report(b, "work")
				})
			}
		}
	})
}

// BenchmarkDepth holds a long queue against a short one of the same server:
// a ratio of 1 is flat.
func BenchmarkDepth(b *testing.B) {
	each(b, func(b *testing.B, url string) {
		long := 1_000_000
		if strings.HasSuffix(b.Name(), "embedded") {
			long = 100_000
		}
		few, many := newBed(b, url), newBed(b, url)
		few.Queue = queue.New(harness(url).Open(b, "few"))
		few.Fill(1000, 1000, 1)
		if long > 100_000 { // a server that tells
			start := many.info("memory", "used_memory:")
			defer func() { b.ReportMetric(float64(many.info("memory", "used_memory:")-start)/float64(long), "B/queued") }()
		}
		many.Fill(long, 1000, 1)
		var ratios []float64
		for b.Loop() {
			var took [2]time.Duration
			for i, d := range []*bed{few, many} {
				began := time.Now()
				for range 10 {
					if _, err := d.Queue.Depth(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
				took[i] = time.Since(began)
			}
			ratios = append(ratios, took[1].Seconds()/took[0].Seconds())
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(20*b.N), "us/call")
		b.ReportMetric(queuebench.Median(ratios), fmt.Sprintf("x-%d-to-1000", long))
	})
}

// BenchmarkWake is from the enqueue of one item to its lease, by a worker that
// waits idle.
func BenchmarkWake(b *testing.B) {
	each(b, func(b *testing.B, url string) {
		d := newBed(b, url)
		d.Wake(b, func() { d.blocked(1) })
	})
}

// blocked returns when n clients wait at the doorbell, or where the server
// cannot tell, when they are likely to.
func (d *bed) blocked(n int) {
	for range 1000 {
		info, err := d.raw.Info(context.Background(), "clients").Result()
		if err != nil {
			d.Fatal(err)
		}
		if strings.Contains(info, "blocked_clients:"+strconv.Itoa(n)+"\r\n") {
			return
		}
		if !strings.Contains(info, "blocked_clients") {
			<-time.After(2 * time.Millisecond)
			return
		}
	}
	d.Fatal("nobody waits")
}
