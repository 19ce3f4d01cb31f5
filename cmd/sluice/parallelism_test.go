package main

import "testing"

func TestParallelism(t *testing.T) {
	for s, want := range map[string]int{
		"1": 1, "1024": 1024,
		"50%": 4, "100%": 8, "1%": 1, "12.5%": 1, "250%": 20, "102400%": 1024,
		"+2": 10, "+0": 8, "-1": 7, "-8": 1, "-100": 1, "+1024": 1024,
	} {
		if n, err := parallelism(s, 8); n != want || err != nil {
			t.Errorf("-j %s with 8 CPUs is %d (%v), want %d", s, n, err, want)
		}
	}
	for _, s := range []string{"", "0", "0%", "-0%", "1025", "+1025", "-5%", "NaN%", "%", "+", "-", "1.5", "many", "2 "} {
		if n, err := parallelism(s, 8); err == nil {
			t.Errorf("-j %q is %d, want an error", s, n)
		}
	}
}
