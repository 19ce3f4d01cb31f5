package machine_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue/machine"
)

// filled is a machine with n items of 200 bytes each.
func filled(b *testing.B, n int) *machine.Machine {
	m := machine.New()
	m.Now(time.Now().UnixMicro())
	payload := make([]byte, 200)
	for i := 0; i < n; i += 100 {
		entries := make([]machine.Entry, 100)
		for j := range entries {
			it := queue.Item{ID: fmt.Sprintf("item-%09d", i+j), Payload: payload}
			entries[j] = machine.Entry{Item: it, Digest: machine.DigestOf(it)}
		}
		if _, err := m.Enqueue(uint64(i), entries); err != nil {
			b.Fatal(err)
		}
		m.Take()
	}
	return m
}

// finish has all of a machine's items done.
func finish(b *testing.B, m *machine.Machine, n int) {
	var settle []queue.Settlement
	for seq := uint64(1); n > 0 || len(settle) > 0; seq++ {
		r, err := m.Exchange(queue.Exchange{Worker: "w", Seq: seq, Settle: settle, Claim: min(n, 100)})
		if err != nil {
			b.Fatal(err)
		}
		n -= len(r.Leases)
		settle = settle[:0]
		for _, l := range r.Leases {
			settle = append(settle, queue.Settlement{Lease: l, Verb: queue.Ack})
		}
		m.Take()
	}
}

func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// BenchmarkRecord is what a million items take: each in memory, queued and
// done, and all of them to be written as a snapshot and read again.
func BenchmarkRecord(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		before := heap()
		m := filled(b, n)
		b.ReportMetric(float64(heap()-before)/n, "B/queued")
		measure := func(state string) {
			began := time.Now()
			var chunks [][]byte
			size := 0
			for chunk := range m.Snapshot(256 << 10) {
				chunks, size = append(chunks, chunk), size+len(chunk)
			}
			b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms/snapshot-"+state)
			b.ReportMetric(float64(size)/n, "B/snapshot-"+state)
			began = time.Now()
			again := machine.New()
			for _, chunk := range chunks {
				if err := again.Replay(chunk); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms/restore-"+state)
		}
		measure("queued")
		finish(b, m, n)
		b.ReportMetric(float64(heap()-before)/n, "B/done")
		measure("done")
		runtime.KeepAlive(m)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkExchange settles 50 leases and claims 50 among many items.
func BenchmarkExchange(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("items=%d", n), func(b *testing.B) {
			m := filled(b, n)
			var settle []queue.Settlement
			var seq uint64
			for b.Loop() {
				seq++
				r, err := m.Exchange(queue.Exchange{Worker: "w", Seq: seq, Settle: settle, Claim: 50})
				if err != nil {
					b.Fatal(err)
				}
				settle = settle[:0]
				for _, l := range r.Leases {
					settle = append(settle, queue.Settlement{Lease: l, Verb: queue.Release, Unstarted: true})
				}
				m.Take()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(50*b.N), "ns/item")
		})
	}
}
