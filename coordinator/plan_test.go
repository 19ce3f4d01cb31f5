package coordinator

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice.dev/queue"
)

func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		name   string
		d      queue.Depth
		live   Count
		o      Options
		launch int
		reason string
	}{
		{"nothing to do", queue.Depth{}, Count{}, Options{Max: 4}, 0, "enough"},
		{"one item", queue.Depth{Ready: 1}, Count{}, Options{Max: 4}, 1, "1 more"},
		{"held at the maximum", queue.Depth{Ready: 100}, Count{Workers: 1, Slots: 1}, Options{Max: 4}, 3, "maximum of 4"},
		{"kept at the minimum", queue.Depth{}, Count{}, Options{Min: 2, Max: 4}, 2, "minimum of 2"},
		{"a free slot takes it", queue.Depth{Ready: 1, Leased: 1}, Count{Workers: 2, Slots: 2}, Options{Max: 4}, 0, "enough"},
		{"busy slots do not", queue.Depth{Ready: 1, Leased: 2}, Count{Workers: 2, Slots: 2}, Options{Max: 4}, 1, "1 more"},
		{"prefetched leases fill no slot twice", queue.Depth{Ready: 1, Leased: 50}, Count{Workers: 1, Slots: 1}, Options{Max: 4}, 1, "1 more"},
		{"ten items a worker", queue.Depth{Ready: 21}, Count{}, Options{Max: 9, ItemsPerWorker: 10}, 3, "3 more"},
		{"held items ask for nothing", queue.Depth{Ready: 5, Held: 5}, Count{}, Options{Max: 4}, 0, "enough"},
		{"blocked and delayed items ask for nothing", queue.Depth{Blocked: 5, Delayed: 5}, Count{}, Options{Max: 4}, 0, "enough"},
		{"a suspect worker has no free slot", queue.Depth{Ready: 1}, Count{Workers: 1, Slots: 1, Suspect: 1}, Options{Max: 4}, 1, "1 more"},
		{"more live than the maximum", queue.Depth{}, Count{Workers: 6, Slots: 6}, Options{Max: 4}, 0, "enough"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Plan(tt.d, tt.live, tt.o)
			if got.Launch != tt.launch {
				t.Errorf("Launch = %d, want %d (%s)", got.Launch, tt.launch, got.Reason)
			}
			if !strings.Contains(got.Reason, tt.reason) {
				t.Errorf("Reason = %q, want %q in it", got.Reason, tt.reason)
			}
		})
	}
}

// Whatever the numbers: never above the maximum, never below the minimum,
// never a worker for which there is neither an item nor a minimum.
func TestPlanBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1000)
		d := queue.Depth{Ready: n.Draw(t, "ready"), Leased: n.Draw(t, "leased"), Delayed: n.Draw(t, "delayed")}
		workers := rapid.IntRange(0, 50).Draw(t, "workers")
		slots := rapid.IntRange(1, 8).Draw(t, "slots")
		o := Options{Min: rapid.IntRange(0, 10).Draw(t, "min"), ItemsPerWorker: slots * rapid.IntRange(1, 4).Draw(t, "factor")}
		o.Max = o.Min + rapid.IntRange(1, 40).Draw(t, "room")
		got := Plan(d, Count{Workers: workers, Slots: workers * slots}, o)
		if got.Launch < 0 || got.Launch > 0 && workers+got.Launch > o.Max {
			t.Fatalf("launch %d with %d live and a maximum of %d", got.Launch, workers, o.Max)
		}
		if workers+got.Launch < o.Min {
			t.Fatalf("%d workers are fewer than the minimum of %d", workers+got.Launch, o.Min)
		}
		if int64(got.Launch) > d.Ready && workers+got.Launch > o.Min {
			t.Fatalf("%d workers for %d ready items", got.Launch, d.Ready)
		}
	})
}
