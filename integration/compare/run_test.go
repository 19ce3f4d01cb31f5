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

// BenchmarkRunOfTrue runs the program true for each of 10,000 lines with
// "xargs -P", which does nothing beyond that, with GNU parallel, and with
// "sluice run", without and with --state, which keeps on disk what became of
// each.
func BenchmarkRunOfTrue(b *testing.B) {
	const items = 10_000
	lines, slots := input(b, items), fmt.Sprint(runtime.NumCPU())
	xargs, parallel, sluice := find(b, "xargs"), find(b, "parallel"), build(b)
	programs := []struct {
		name string
		argv func() []string
	}{
		{"xargs", func() []string { return []string{xargs, "-P", slots, "-n", "1", "true"} }},
		{"parallel", func() []string { return []string{parallel, "-j", slots, "true"} }},
		{"sluice", func() []string { return []string{sluice, "run", "-j", slots, "--", "true"} }},
		{"state", func() []string { return []string{sluice, "run", "-j", slots, "--state", b.TempDir(), "--", "true"} }},
	}
	for b.Loop() {
		times := make([][]time.Duration, len(programs))
		for range rounds {
			for i, p := range programs {
				argv := p.argv()
				times[i] = append(times[i], took(b, lines, argv[0], argv[1:]...))
			}
		}
		for i, p := range programs {
			m := median(times[i])
			b.ReportMetric(float64(m.Microseconds())/items, p.name+"-µs/item")
			if i > 0 {
				b.ReportMetric(float64(m)/float64(median(times[0])), p.name+"/xargs")
			}
		}
	}
}

// BenchmarkRunOfOneItem is what a run costs before and after its items.
func BenchmarkRunOfOneItem(b *testing.B) {
	sluice, lines := build(b), input(b, 1)
	for b.Loop() {
		took(b, lines, sluice, "run", "--", "true")
	}
}

// find is where a program is that this machine must have.
func find(b *testing.B, name string) string {
	b.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		b.Fatalf("%v: install it, since sluice is measured beside it", err)
	}
	return path
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
