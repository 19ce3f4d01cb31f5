package natsqueue_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/internal/natstest"
	"sluice.dev/internal/queuebench"
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
	*queuebench.Load
	js     jetstream.JetStream
	raw    jetstream.Consumer
	leader *natsqueue.Driver
	rates  queuebench.Rounds
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
		Load: &queuebench.Load{TB: b, Queue: queue.New(open(b, url, o))},
		js:   js, raw: c, leader: leader, rates: queuebench.Rounds{},
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

// publish publishes a round raw: one at a time for each of width callers, or
// with many under way.
func (d *bed) publish(width int) {
	payload := queuebench.Payload()
	var wg sync.WaitGroup
	for range width {
		wg.Go(func() {
			for range roundItems / width {
				if _, err := d.js.Publish(context.Background(), "raw", payload); err != nil {
					d.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func (d *bed) publishAsync() {
	payload := queuebench.Payload()
	for range roundItems {
		if _, err := d.js.PublishAsync("raw", payload); err != nil {
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

// report gives medians over the rounds.
func (d *bed) report(b *testing.B, name string) {
	b.ReportMetric(0, "ns/op") // of a round, which says nothing
	b.ReportMetric(queuebench.Median(d.rates[name]), "items/s")
	b.ReportMetric(queuebench.Median(d.rates["raw"]), "raw/s")
	b.ReportMetric(d.rates.Ratio(name, "raw"), "x-raw")
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
				d.rates = queuebench.Rounds{}
				for b.Loop() {
					d.rates.Time("raw", roundItems, by.raw)
					d.rates.Time("enqueue", roundItems, func() { d.Fill(roundItems, by.call, by.width) })
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
			work func(n, slots int)
		}{{"dispatcher", d.Dispatch}, {"lockstep", d.Lockstep}, {"single", d.Single}} {
			b.Run(fmt.Sprintf("%s/slots=%d", by.name, slots), func(b *testing.B) {
				d.rates = queuebench.Rounds{}
				for b.Loop() {
					d.publishAsync()
					d.Fill(roundItems, 100, 1)
					d.rates.Time("raw", roundItems, d.fetch)
					d.rates.Time("work", roundItems, func() { by.work(roundItems, slots) })
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
			if _, err := d.Queue.Depth(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(began).Seconds()
	}
	few := ask()
	for range 200 {
		d.Fill(1000, 1000, 1)
	}
	var ratios []float64
	for b.Loop() {
		ratios = append(ratios, ask()/few)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(20*b.N), "us/call")
	b.ReportMetric(queuebench.Median(ratios), "x-200000-to-0")
}

// BenchmarkWake is from the enqueue of one item to its lease, by a worker that
// waits idle.
func BenchmarkWake(b *testing.B) {
	newBed(b, natstest.Start(b).URL(), 1).Wake(b, func() { <-time.After(5 * time.Millisecond) }) // it waits by then
}
