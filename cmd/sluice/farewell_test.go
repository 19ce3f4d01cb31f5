package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
)

// deaf is a store that does not answer.
type deaf struct{ queue.Driver }

func (deaf) Expire(ctx context.Context, _ string, _ queue.Failure) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// However many queues do not answer, a worker waits for them once.
func TestFarewellToAStoreThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		at := &post{leave: &leaver{q: queue.New(deaf{}), id: "w"}}
		farewell([]*post{at, at, at})
		if took := time.Since(began); took != farewellLimit {
			t.Errorf("it takes %s, want %s", took, farewellLimit)
		}
	})
}
