package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// A journal of many items takes no more memory than one of a few.
func TestMemoryDoesNotGrowWithTheItems(t *testing.T) {
	const n, records, bound = 150_000, 15_000, 8 << 20
	dir := t.TempDir()
	j := open(t, dir)
	w, err := NewWriter(dir, "worker")
	if err != nil {
		t.Fatal(err)
	}
	id := func(i int) string { return fmt.Sprintf("%020x", i) }
	record := json.RawMessage(fmt.Sprintf(`{"publish":1,"dir":"/%0200d"}`, 1))
	for i := range n {
		if i < records {
			add(t, w, Entry{Kind: Committed, ID: id(i), Attempts: 1, Data: record})
		}
		add(t, j, Entry{Kind: Done, ID: id(i), Attempts: 1})
	}
	if err := errors.Join(w.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	before := heap()
	j = open(t, dir)
	found := 0
	if err := j.Records(func(Record) error { found++; return nil }); err != nil || found != records {
		t.Errorf("%d records, %v, want %d", found, err, records)
	}
	if grown := heap() - before; grown > bound {
		t.Errorf("%d items take %d bytes, more than %d", n, grown, bound)
	}
	for _, i := range []int{0, 1, records - 1, records, n - 1, n} {
		it, err := j.Item(id(i))
		if err != nil || (it.Last == Done) != (i < n) || (it.Committed != nil) != (i < records) {
			t.Errorf("item %d is %+v, %v", i, it, err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// heap is how many bytes of memory are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // the first one leaves what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A run that goes on has the snapshot of those before the last one, and what
// that one has added.
func BenchmarkReplay(b *testing.B) {
	const n = 1_000_000
	src := b.TempDir()
	for k, name := range []string{snapshotName, "1-run" + suffix} {
		var lines []byte
		for i := range n / 2 {
			var err error
			if lines, err = appendLine(lines, Entry{Kind: Done, ID: fmt.Sprintf("%020x", k*n/2+i), Attempts: 1}); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(src, name), lines, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	for b.Loop() {
		b.StopTimer()
		if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(src))); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := open(b, dir).Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/item")
}
