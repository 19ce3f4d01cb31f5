package natsqueue_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"sluice.dev/internal/natstest"
	"sluice.dev/internal/queuebench"
	"sluice.dev/queue/natsqueue"
)

// BenchmarkTakeover is from the first question after the death of a leader to the
// next one's answer, which needs every item: the queue's length, payloads of 200
// bytes. cpu-s is what that takes of the processors in the leader's process. The
// server is a process of its own, so that heap-MB is of the leader. disk-MB is
// what the server keeps for it.
func BenchmarkTakeover(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint("items=", n), func(b *testing.B) {
			s := natstest.Launch(b)
			before := heap()
			d := newBed(b, s.URL(), 1)
			for range n / roundItems {
				d.Fill(roundItems, 1000, 1)
			}
			o := natsqueue.Options{Queue: "bench"}
			leader := open(b, s.URL(), o)
			bury(b, d.leader)
			ask(b, s, leader, n)
			held := heap() - before
			var took, cpu []float64
			for b.Loop() {
				next := open(b, s.URL(), o)
				bury(b, leader)
				leader = next
				runtime.GC() // its memory is not in the process of the next one
				began, spent := time.Now(), spentCPU(b)
				ask(b, s, leader, n)
				took, cpu = append(took, time.Since(began).Seconds()), append(cpu, spentCPU(b)-spent)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(queuebench.Median(took), "s")
			b.ReportMetric(slices.Max(took), "worst-s")
			b.ReportMetric(queuebench.Median(cpu), "cpu-s")
			b.ReportMetric(held/1e6, "heap-MB")
			b.ReportMetric(size(b, s.Dir)/1e6, "disk-MB")
		})
	}
}

// bury kills a leader, and forgets what it held.
func bury(b *testing.B, d *natsqueue.Driver) {
	b.Helper()
	d.Kill()
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
}

// ask wants a client to tell of so many items, and to lead by then.
func ask(b *testing.B, s *natstest.Server, d *natsqueue.Driver, n int) {
	b.Helper()
	if depth, err := d.Depth(b.Context()); err != nil || depth.Ready != int64(n) || !d.Leads() {
		b.Fatalf("depth is %+v, %v; want %d ready, told by a leader\n%s", depth, err, n, s.Log())
	}
}

// heap is how many bytes are in use after a collection.
func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// spentCPU is how many seconds of the processors this process has had.
func spentCPU(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// size is how many bytes the files of a folder have.
func size(b *testing.B, dir string) float64 {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		i, err := e.Info()
		if err == nil {
			sum += i.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return float64(sum)
}
