package queuetest

import (
	"fmt"
	"testing"
	"time"

	"sluice.dev/queue"
)

// LongItems checks that a worker is listed for as long as it holds a lease, though
// it says nothing for hours, and others come and go: whoever learns of its death
// must find what it holds. The suite has no such sentence, since most stores' clocks
// cannot be advanced.
func LongItems(t *testing.T, d queue.Driver, advance func(time.Duration)) {
	t.Helper()
	ctx := t.Context()
	if _, err := d.SetPolicy(ctx, queue.Policy{Lease: 24 * time.Hour}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Enqueue(ctx, []queue.Item{{ID: "film"}}); err != nil {
		t.Fatal(err)
	}
	exchange := func(worker string) {
		t.Helper()
		if _, err := d.Exchange(ctx, queue.Exchange{Worker: worker, Seq: 1, Claim: 1}); err != nil {
			t.Fatal(err)
		}
	}
	exchange("renders")
	exchange("idle")
	advance(2 * time.Hour)
	for _, others := range []int{0, 100} { // for many a store may forget what is old
		for i := range others {
			exchange(fmt.Sprint("new-", i))
		}
		list, err := d.Workers(ctx)
		if err != nil {
			t.Fatal(err)
		}
		held := 0
		for _, w := range list {
			if w.ID == "idle" {
				t.Errorf("after two hours without a word %+v is listed", w)
			}
			if w.ID == "renders" && w.Leases == 1 && w.Seen >= time.Hour {
				held++
			}
		}
		if held != 1 || len(list) != others+1 {
			t.Errorf("%d workers are listed, %d of them with the lease, want %d and 1", len(list), held, others+1)
		}
	}
}
