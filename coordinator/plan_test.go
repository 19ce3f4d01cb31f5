package coordinator

import (
	"strings"
	"testing"
	"time"

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
		{"those that come up are there for ten each", queue.Depth{Ready: 21}, Count{Workers: 3, Slots: 3}, Options{Max: 9, ItemsPerWorker: 10}, 0, "21 claimable, room for 30 in 3 workers at 10 items each: enough"},
		{"what they have at work is of the ten", queue.Depth{Ready: 28, Leased: 3}, Count{Workers: 3, Slots: 3}, Options{Max: 9, ItemsPerWorker: 10}, 1, "28 claimable, room for 27 in 3 workers at 10 items each: 1 more"},
		{"a suspect worker is there for none", queue.Depth{Ready: 21, Leased: 2}, Count{Workers: 3, Slots: 6, Suspect: 2}, Options{Max: 9, ItemsPerWorker: 10}, 1, "room for 18 in 3 workers"},
		{"more slots than items each count all", queue.Depth{Ready: 6}, Count{Workers: 2, Slots: 8}, Options{Max: 9}, 0, "8 free slots"},
		{"held items ask for nothing", queue.Depth{Ready: 5, Held: 5}, Count{}, Options{Max: 4}, 0, "enough"},
		{"blocked and delayed items ask for nothing", queue.Depth{Blocked: 5, Delayed: 5}, Count{}, Options{Max: 4}, 0, "enough"},
		{"a suspect worker has no free slot", queue.Depth{Ready: 1}, Count{Workers: 1, Slots: 1, Suspect: 1}, Options{Max: 4}, 1, "1 more"},
		{"leases of others fill no slot of ours", queue.Depth{Ready: 2, Leased: 10}, Count{Workers: 2, Slots: 2, Others: 10}, Options{Max: 4}, 0, "enough"},
		{"leases of others ask for nothing", queue.Depth{Leased: 10}, Count{Others: 10}, Options{Max: 4}, 0, "enough"},
		{"one is due by the time that a worker runs", queue.Depth{Delayed: 5, NextDue: time.Second}, Count{}, Options{Max: 4, LaunchTime: 2 * time.Second}, 1, "1 more"},
		{"none is due by then", queue.Depth{Delayed: 5, NextDue: 3 * time.Second}, Count{}, Options{Max: 4, LaunchTime: 2 * time.Second}, 0, "enough"},
		{"a paused queue wants none though one is due", queue.Depth{Delayed: 5, NextDue: time.Second, Paused: true}, Count{}, Options{Max: 4, LaunchTime: 2 * time.Second}, 0, "enough"},
		{"held back while those launched cannot start", queue.Depth{Ready: 9}, Count{Workers: 1, Slots: 1, Stuck: "no such image"}, Options{Max: 4}, 0, "held back: no such image"},
		{"not even the minimum then", queue.Depth{}, Count{Stuck: "no such image"}, Options{Min: 2, Max: 4}, 0, "held back"},
		{"what wants nothing is not held back", queue.Depth{}, Count{Workers: 1, Slots: 1, Stuck: "no such image"}, Options{Max: 4}, 0, "enough"},
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
// never a worker for which there is neither an item nor a minimum, and nothing more
// when only what was asked for has happened, or when the workers take their items.
func TestPlanBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1000)
		workers := rapid.IntRange(0, 50).Draw(t, "workers")
		slots := rapid.IntRange(1, 8).Draw(t, "slots")
		live := func() Count { return Count{Workers: workers, Slots: workers * slots, Others: 7} }
		own := rapid.Int64Range(0, int64(workers*slots)).Draw(t, "leased")
		d := queue.Depth{Ready: n.Draw(t, "ready"), Leased: 7 + own, Delayed: n.Draw(t, "delayed")}
		o := Options{Min: rapid.IntRange(0, 10).Draw(t, "min"), ItemsPerWorker: slots * rapid.IntRange(1, 4).Draw(t, "factor")}
		o.Max = o.Min + rapid.IntRange(1, 40).Draw(t, "room")
		got := Plan(d, live(), o)
		if got.Launch < 0 || got.Launch > 0 && workers+got.Launch > o.Max {
			t.Fatalf("launch %d with %d live and a maximum of %d", got.Launch, workers, o.Max)
		}
		if workers+got.Launch < o.Min {
			t.Fatalf("%d workers are fewer than the minimum of %d", workers+got.Launch, o.Min)
		}
		if int64(got.Launch) > d.Ready && workers+got.Launch > o.Min {
			t.Fatalf("%d workers for %d ready items", got.Launch, d.Ready)
		}
		workers += got.Launch
		if again := Plan(d, live(), o); again.Launch > 0 {
			t.Fatalf("launched %d, and then wants %d more: %s", got.Launch, again.Launch, again.Reason)
		}
		taken := min(d.Ready, int64(workers*slots)-own)
		d.Ready, d.Leased = d.Ready-taken, d.Leased+taken
		if again := Plan(d, live(), o); again.Launch > 0 {
			t.Fatalf("wants %d more once %d items are taken: %s", again.Launch, taken, again.Reason)
		}
	})
}
