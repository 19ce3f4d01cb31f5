package boottime_test

import (
	"testing"
	"time"

	"sluice.dev/internal/boottime"
)

func TestNowKeepsPaceWithTheMonotonicClock(t *testing.T) {
	outer, first := time.Now(), boottime.Now()
	inner := time.Now()
	for time.Since(inner) < 5*time.Millisecond {
	}
	least := time.Since(inner)
	passed := boottime.Now() - first
	most := time.Since(outer)
	if passed < least || passed > most+time.Minute {
		t.Errorf("%s passed, want %s to %s", passed, least, most)
	}
}
