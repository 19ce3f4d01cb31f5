package main

import (
	"testing"

	"sluice.dev/queue"
)

func TestHalt(t *testing.T) {
	for _, tt := range []struct {
		when       string
		done, dead int64 // of 20 items
		whole      bool
		want       bool
	}{
		{"never", 10, 10, true, false},
		{"now,fail=2", 18, 1, true, false},
		{"now,fail=2", 0, 2, false, true},
		{"soon,success=3", 2, 9, true, false},
		{"soon,success=3", 3, 0, false, true},
		{"soon,done=3", 2, 1, false, true},
		{"now,fail=10%", 0, 1, true, false},
		{"now,fail=10%", 0, 2, true, true},
		{"now,fail=10%", 0, 2, false, false}, // of how many is not known yet
		{"soon,done=100%", 19, 0, true, false},
	} {
		var h halt
		if err := (haltValue{&h}).Set(tt.when); err != nil {
			t.Fatal(err)
		}
		if h.String() != tt.when {
			t.Errorf("%s reads as %s", tt.when, h)
		}
		d := queue.Depth{Done: tt.done, Dead: tt.dead, Ready: 20 - tt.done - tt.dead}
		if got := h.reached(d, tt.whole); got != tt.want {
			t.Errorf("%s at %d done and %d dead, input whole %t: %t", h, tt.done, tt.dead, tt.whole, got)
		}
	}
	for _, s := range []string{"", "now", "later,fail=1", "now,fail", "now,fail=0", "now,fail=x", "soon,fail=101%", "soon,fail=-1", "now,lost=1", "2"} {
		h := halt{}
		if err := (haltValue{&h}).Set(s); err == nil {
			t.Errorf("--halt %q is %s, want an error", s, h)
		}
	}
}
