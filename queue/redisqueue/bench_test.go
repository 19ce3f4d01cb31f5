package redisqueue_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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
	testing.TB
	raw     *redis.Client
	url     string
	q       *queue.Queue
	payload []byte
	last    int                  // id of an item
	rates   map[string][]float64 // items a second, by what takes turns
	costs   map[string][]float64 // microseconds of the server for an item
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
		TB: tb, raw: raw, url: url, payload: []byte(strings.Repeat("p", 200)), rates: map[string][]float64{}, costs: map[string][]float64{},
		q: queue.New(harness(url).Open(tb, "bench")),
	}
}

// each runs f on each kind of store.
func each(b *testing.B, f func(b *testing.B, url string)) {
	b.Run("redis", func(b *testing.B) { f(b, redistest.Start(b).URL()) })
	b.Run("embedded", func(b *testing.B) { f(b, embeddedStore(b)) })
}

// items makes new ones.
func (d *bed) items(n int) []queue.Item {
	out := make([]queue.Item, n)
	for i := range out {
		d.last++
		out[i] = queue.Item{ID: strconv.Itoa(1e9 + d.last), Payload: d.payload}
	}
	return out
}

// fill enqueues n items, call at a time.
func (d *bed) fill(n, call int) {
	for i := 0; i < n; i += call {
		if _, err := d.q.Enqueue(context.Background(), d.items(min(call, n-i))); err != nil {
			d.Fatal(err)
		}
	}
}

// timed notes how many of n items a second f does, and what an item costs the
// server.
func (d *bed) timed(name string, n int, f func()) {
	before, began := d.cpu(), time.Now()
	f()
	took := time.Since(began)
	d.rates[name] = append(d.rates[name], float64(n)/took.Seconds())
	d.costs[name] = append(d.costs[name], float64((d.cpu()-before).Microseconds())/float64(n))
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
	for _, width := range []int{1, 16, 64} {
		d.timed("SET"+strconv.Itoa(width), roundItems, func() {
			for i := 0; i < roundItems; i += width {
				pipe := d.raw.Pipeline()
				for j := range min(width, roundItems-i) {
					pipe.Set(context.Background(), strconv.Itoa(i+j), d.payload, 0)
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
	b.ReportMetric(median(d.rates[name]), "items/s")
	for _, limit := range []string{"SET1", "SET16", "SET64"} {
		ratios := slices.Clone(d.rates[name])
		for i := range ratios {
			ratios[i] /= d.rates[limit][i]
		}
		b.ReportMetric(median(ratios), "x-"+limit)
	}
	if cost := median(d.costs[name]); cost > 0 {
		b.ReportMetric(cost, "server-us/item")
		b.ReportMetric(median(d.costs["SET16"]), "server-us/SET16")
	}
}

func median(of []float64) float64 { return quantile(of, 0.5) }

func quantile(of []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func BenchmarkEnqueue(b *testing.B) {
	each(b, func(b *testing.B, url string) {
		for _, call := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("call=%d", call), func(b *testing.B) {
				d := newBed(b, url)
				defer func() { _ = d.q.Drop(context.Background()) }()
				for b.Loop() {
					d.limits()
					d.timed("enqueue", roundItems, func() { d.fill(roundItems, call) })
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
				work func(d *bed, slots int)
			}{
				{"dispatcher", (*bed).dispatch},
				{"lockstep", func(d *bed, slots int) { d.lockstep(roundItems, slots) }},
				{"single", (*bed).single},
			} {
				b.Run(fmt.Sprintf("%s/slots=%d", by.name, slots), func(b *testing.B) {
					d := newBed(b, url)
					defer func() { _ = d.q.Drop(context.Background()) }()
					for b.Loop() {
						d.fill(roundItems, 1000)
						d.limits()
						d.timed("work", roundItems, func() { by.work(d, slots) })
					}
					d.report(b, "work")
				})
			}
		}
	})
}

// dispatch works off a round as a worker does: one loop settles what has
// finished and claims for the slots that are free, in one exchange.
func (d *bed) dispatch(slots int) {
	d.last++
	session := d.q.Session("dispatcher-" + strconv.Itoa(d.last))
	todo, finished := make(chan queue.Lease, slots), make(chan queue.Settlement, slots)
	var running sync.WaitGroup
	for range slots {
		running.Go(func() {
			for l := range todo {
				finished <- queue.Settlement{Lease: l, Verb: queue.Ack}
			}
		})
	}
	defer running.Wait()
	defer close(todo)
	for done, held, claimed := 0, 0, 0; done < roundItems; {
		var settle []queue.Settlement
		if held > 0 {
			settle = append(settle, <-finished)
		}
		for more := true; more; {
			select {
			case s := <-finished:
				settle = append(settle, s)
			default:
				more = false
			}
		}
		held -= len(settle)
		r, err := session.Exchange(context.Background(), settle, min(slots-held, roundItems-claimed))
		if err != nil {
			d.Error(err)
			return
		}
		done += len(settle)
		held += len(r.Leases)
		claimed += len(r.Leases)
		for _, l := range r.Leases {
			todo <- l
		}
	}
}

// single works off a round with workers of one slot each.
func (d *bed) single(slots int) {
	var workers sync.WaitGroup
	for w := range slots {
		d.last++
		session := d.q.Session("single-" + strconv.Itoa(d.last))
		mine := roundItems / slots
		if w < roundItems%slots {
			mine++
		}
		workers.Go(func() {
			var settle []queue.Settlement
			for left := mine; left >= 0; left-- {
				r, err := session.Exchange(context.Background(), settle, min(left, 1))
				if err != nil || len(r.Leases) != min(left, 1) {
					d.Errorf("%d leases, %v", len(r.Leases), err)
					return
				}
				settle = settle[:0]
				for _, l := range r.Leases {
					settle = append(settle, queue.Settlement{Lease: l, Verb: queue.Ack})
				}
			}
		})
	}
	workers.Wait()
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
		few.q = queue.New(harness(url).Open(b, "few"))
		few.fill(1000, 1000)
		if long > 100_000 { // a server that tells
			start := many.info("memory", "used_memory:")
			defer func() { b.ReportMetric(float64(many.info("memory", "used_memory:")-start)/float64(long), "B/queued") }()
		}
		many.fill(long, 1000)
		var ratios []float64
		for b.Loop() {
			var took [2]time.Duration
			for i, d := range []*bed{few, many} {
				began := time.Now()
				for range 10 {
					if _, err := d.q.Depth(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
				took[i] = time.Since(began)
			}
			ratios = append(ratios, took[1].Seconds()/took[0].Seconds())
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(20*b.N), "us/call")
		b.ReportMetric(median(ratios), fmt.Sprintf("x-%d-to-1000", long))
	})
}

// BenchmarkWake is from the enqueue of one item to its lease, by a worker that
// waits idle.
func BenchmarkWake(b *testing.B) {
	each(b, func(b *testing.B, url string) {
		d := newBed(b, url)
		worker := d.q.Session("idle")
		ctx := context.Background()
		asleep, leased := make(chan struct{}), make(chan time.Time)
		go func() {
			defer close(leased)
			var settle []queue.Settlement
			for range asleep {
				for {
					r, err := worker.Exchange(ctx, settle, 1)
					if err != nil {
						b.Error(err)
						return
					}
					if settle = nil; len(r.Leases) == 1 {
						settle = []queue.Settlement{{Lease: r.Leases[0], Verb: queue.Ack}}
						break
					}
					if err := worker.Wait(ctx, time.Minute); err != nil {
						b.Error(err)
						return
					}
				}
				leased <- time.Now()
			}
		}()
		var took []float64
		for b.Loop() {
			asleep <- struct{}{}
			d.blocked(1)
			began := time.Now()
			d.fill(1, 1)
			took = append(took, float64((<-leased).Sub(began).Microseconds())/1000)
		}
		close(asleep)
		<-leased
		b.ReportMetric(0, "ns/op") // of a round, which says nothing
		b.ReportMetric(median(took), "p50-ms")
		b.ReportMetric(quantile(took, 0.99), "p99-ms")
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
