package main

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
)

// maxParallelism is how many items one run may have going.
const maxParallelism = 1024

// parallelismValue is how many items run at once: a number, or as in GNU
// parallel a part of the CPUs (50%), or so many more or fewer than those.
type parallelismValue struct{ p *int }

func (v parallelismValue) String() string {
	if v.p == nil {
		return ""
	}
	return strconv.Itoa(*v.p)
}
func (parallelismValue) Type() string { return "N" }
func (v parallelismValue) Set(s string) error {
	n, err := parallelism(s, runtime.NumCPU())
	if err != nil {
		return err
	}
	*v.p = n
	return nil
}

func parallelism(s string, cpus int) (int, error) {
	bad := fmt.Errorf("a whole number from 1 to %d is allowed, or one reckoned from the CPUs: 50%%, +2 or -1", maxParallelism)
	if part, ok := strings.CutSuffix(s, "%"); ok {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil || !(n > 0 && n <= 100*maxParallelism) {
			return 0, bad
		}
		return clampParallelism(int(math.Round(float64(cpus) * n / 100))), nil
	}
	n, err := strconv.Atoi(s)
	switch {
	case err != nil || n < -maxParallelism || n > maxParallelism:
		return 0, bad
	case s[0] == '+' || s[0] == '-':
		return clampParallelism(cpus + n), nil
	case n < 1:
		return 0, bad
	}
	return n, nil
}

// clampParallelism keeps a reckoned number within bounds, as at least one item
// has to run.
func clampParallelism(n int) int { return min(max(n, 1), maxParallelism) }
