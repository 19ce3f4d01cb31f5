package natsqueue_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
)

// The benchmarks hold the queue against what the same server does raw: a
// publish of the same payload, and a fetch with an acknowledgement that is
// awaited, from a work-queue stream. Both take turns in one run, so that a
// machine that is busy slows both, and what counts is the median ratio, x-raw.
// items/s is of this machine alone.

const (
	roundItems = 1000 // of each thing that takes turns
	slots      = 50
)

// bed is a server under measurement, with a raw stream and a queue whose leader
// is another client.
type bed struct {
	testing.TB
	js      jetstream.JetStream
	raw     jetstream.Consumer
	leader  *natsqueue.Driver
	q       *queue.Queue
	payload []byte
	last    int
	rates   map[string][]float64 // items a second, by what takes turns
}

func newBed(b testing.TB, url string, replicas int) *bed {
	js, err := jetstream.New(connect(b, url), jetstream.WithPublishAsyncMaxPending(2*roundItems))
	if err != nil {
		b.Fatal(err)
	}
	s, err := js.CreateStream(b.Context(), jetstream.StreamConfig{
		Name: "RAW", Subjects: []string{"raw"}, Retention: jetstream.WorkQueuePolicy, Replicas: replicas,
	})
	if err != nil {
		b.Fatal(err)
	}
	c, err := s.CreateConsumer(b.Context(), jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 100_000})
	if err != nil {
		b.Fatal(err)
	}
	o := natsqueue.Options{Queue: "bench", Replicas: replicas}
	leader := open(b, url, o)
	if _, err := leader.SetPolicy(b.Context(), queue.Policy{}, false); err != nil { // leads
		b.Fatal(err)
	}
	return &bed{
		TB: b, js: js, raw: c, leader: leader, q: queue.New(open(b, url, o)), payload: []byte(strings.Repeat("p", 200)), rates: map[string][]float64{},
	}
}

// each runs f on each kind of store.
func each(b *testing.B, f func(b *testing.B, d *bed)) {
	b.Run("one", func(b *testing.B) { f(b, newBed(b, natstest.Start(b).URL(), 1)) })
	b.Run("sync-always", func(b *testing.B) {
		s := natstest.Start(b, "jetstream { store_dir: $DIR, sync_interval: always }")
		f(b, newBed(b, s.URL(), 1))
	})
	b.Run("cluster", func(b *testing.B) { f(b, newBed(b, natstest.StartCluster(b).URL(), 3)) })
}

// timed notes how many of a round's items a second f does.
func (d *bed) timed(name string, f func()) {
	began := time.Now()
	f()
	d.rates[name] = append(d.rates[name], roundItems/time.Since(began).Seconds())
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

// fill enqueues a round, call at a time, by width producers.
func (d *bed) fill(call, width int) {
	items := d.items(roundItems)
	work := make(chan []queue.Item)
	var wg sync.WaitGroup
	for range width {
		wg.Go(func() {
			for page := range work {
				if _, err := d.q.Enqueue(context.Background(), page); err != nil {
					d.Error(err)
				}
			}
		})
	}
	for page := range slices.Chunk(items, call) {
		work <- page
	}
	close(work)
	wg.Wait()
}

// publish publishes a round raw: one at a time for each of width callers, or
// with many under way.
func (d *bed) publish(width int) {
	var wg sync.WaitGroup
	for range width {
		wg.Go(func() {
			for range roundItems / width {
				if _, err := d.js.Publish(context.Background(), "raw", d.payload); err != nil {
					d.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func (d *bed) publishAsync() {
	for range roundItems {
		if _, err := d.js.PublishAsync("raw", d.payload); err != nil {
			d.Error(err)
		}
	}
	<-d.js.PublishAsyncComplete()
}

// fetch takes a round raw, by as many as there are slots.
func (d *bed) fetch() {
	var wg sync.WaitGroup
	for range slots {
		wg.Go(func() {
			for range roundItems / slots {
				batch, err := d.raw.Fetch(1, jetstream.FetchMaxWait(10*time.Second))
				if err != nil {
					d.Error(err)
					return
				}
				for m := range batch.Messages() {
					if err := m.DoubleAck(context.Background()); err != nil {
						d.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// dispatch works off a round as a worker does: one loop settles what has
// finished and claims for the slots that are free, in one exchange.
func (d *bed) dispatch() {
	d.last++
	session := d.q.Session("dispatcher-" + strconv.Itoa(d.last))
	var settle []queue.Settlement
	for done := 0; done < roundItems; {
		r, err := session.Exchange(context.Background(), settle, min(slots, roundItems-done-len(settle)))
		if err != nil {
			d.Error(err)
			return
		}
		done += len(settle)
		settle = settle[:0]
		for _, l := range r.Leases {
			settle = append(settle, queue.Settlement{Lease: l, Verb: queue.Ack})
		}
	}
}

// single works off a round with workers of one slot each.
func (d *bed) single() {
	var wg sync.WaitGroup
	for range slots {
		d.last++
		session := d.q.Session("single-" + strconv.Itoa(d.last))
		wg.Go(func() {
			var settle []queue.Settlement
			for left := roundItems / slots; left >= 0; left-- {
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
	wg.Wait()
}

// report gives medians over the rounds.
func (d *bed) report(b *testing.B, name string) {
	ratios := slices.Clone(d.rates[name])
	for i := range ratios {
		ratios[i] /= d.rates["raw"][i]
	}
	b.ReportMetric(0, "ns/op") // of a round, which says nothing
	b.ReportMetric(median(d.rates[name]), "items/s")
	b.ReportMetric(median(d.rates["raw"]), "raw/s")
	b.ReportMetric(median(ratios), "x-raw")
}

func median(of []float64) float64 { return quantile(of, 0.5) }

func quantile(of []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func BenchmarkEnqueue(b *testing.B) {
	each(b, func(b *testing.B, d *bed) {
		for _, by := range []struct {
			name        string
			call, width int
			raw         func()
		}{
			{"call=1/width=1", 1, 1, func() { d.publish(1) }},
			{"call=1/width=16", 1, 16, func() { d.publish(16) }},
			{"call=100/width=1", 100, 1, d.publishAsync},
			{"call=100/width=4", 100, 4, d.publishAsync},
		} {
			b.Run(by.name, func(b *testing.B) {
				d.rates = map[string][]float64{}
				for b.Loop() {
					d.timed("raw", by.raw)
					d.timed("enqueue", func() { d.fill(by.call, by.width) })
				}
				d.report(b, "enqueue")
			})
		}
	})
}

func BenchmarkWork(b *testing.B) {
	each(b, func(b *testing.B, d *bed) {
		for _, by := range []struct {
			name string
			work func()
		}{{"dispatcher", d.dispatch}, {"single", d.single}} {
			b.Run(fmt.Sprintf("%s/slots=%d", by.name, slots), func(b *testing.B) {
				d.rates = map[string][]float64{}
				for b.Loop() {
					d.publishAsync()
					d.fill(100, 1)
					d.timed("raw", d.fetch)
					d.timed("work", by.work)
				}
				d.report(b, "work")
			})
		}
	})
}

// BenchmarkDepth holds a long queue against a short one of the same server: a
// ratio of 1 is flat.
func BenchmarkDepth(b *testing.B) {
	d := newBed(b, natstest.Start(b).URL(), 1)
	ask := func() float64 {
		began := time.Now()
		for range 20 {
			if _, err := d.q.Depth(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(began).Seconds()
	}
	few := ask()
	for range 200 {
		d.fill(1000, 1)
	}
	var ratios []float64
	for b.Loop() {
		ratios = append(ratios, ask()/few)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(20*b.N), "us/call")
	b.ReportMetric(median(ratios), "x-200000-to-0")
}

// BenchmarkWake is from the enqueue of one item to its lease, by a worker that
// waits idle.
func BenchmarkWake(b *testing.B) {
	d := newBed(b, natstest.Start(b).URL(), 1)
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
		<-time.After(5 * time.Millisecond) // it waits by then
		began := time.Now()
		if _, err := d.q.Enqueue(ctx, d.items(1)); err != nil {
			b.Fatal(err)
		}
		took = append(took, float64((<-leased).Sub(began).Microseconds())/1000)
	}
	close(asleep)
	<-leased
	b.ReportMetric(0, "ns/op") // of a round, which says nothing
	b.ReportMetric(median(took), "p50-ms")
	b.ReportMetric(quantile(took, 0.99), "p99-ms")
}
