// Package compare_test measures sluice beside other programs that do a part of
// its work, in one run and in turns, so that what else the machine does meets
// them all.
package compare_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

// rounds is how often each program takes its turn. The medians count.
const rounds = 5

// BenchmarkRunBesideXargs runs the program true for each of 10,000 lines with
// "xargs -P", which does nothing beyond that, and with "sluice run".
func BenchmarkRunBesideXargs(b *testing.B) {
	const items = 10_000
	sluice, lines := build(b), input(b, items)
	jobs := fmt.Sprint(runtime.NumCPU())
	for b.Loop() {
		var xargs, run []time.Duration
		for range rounds {
			xargs = append(xargs, took(b, lines, "xargs", "-P", jobs, "-n", "1", "true"))
			run = append(run, took(b, lines, sluice, "run", "-j", jobs, "--", "true"))
		}
		b.ReportMetric(float64(median(xargs).Microseconds())/items, "xargs-µs/item")
		b.ReportMetric(float64(median(run).Microseconds())/items, "sluice-µs/item")
		b.ReportMetric(float64(median(run))/float64(median(xargs)), "times-xargs")
	}
}

// BenchmarkRunOfOneItem is what a run costs before and after its items.
func BenchmarkRunOfOneItem(b *testing.B) {
	sluice, lines := build(b), input(b, 1)
	for b.Loop() {
		took(b, lines, sluice, "run", "--", "true")
	}
}

// build is the program, made of the source as it is.
func build(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "sluice")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", path, "sluice.dev/cmd/sluice").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// input is a file of so many lines.
func input(b *testing.B, n int) string {
	b.Helper()
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintln(&text, i+1)
	}
	path := filepath.Join(b.TempDir(), "lines")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// took is how long a program takes that reads the file as its standard input.
func took(b *testing.B, stdin, program string, args ...string) time.Duration {
	b.Helper()
	file, err := os.Open(stdin)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	cmd := exec.CommandContext(b.Context(), program, args...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = file, &said
	began := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s: %v\n%s", program, err, said.Bytes())
	}
	return time.Since(began)
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
