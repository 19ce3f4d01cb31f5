package main

import (
	"context"
	"sync"
	"time"

	"sluice.dev/queue"
)

// farewellLimit is how long a worker that has ended waits for a store to hear so.
const farewellLimit = 2 * time.Second

// farewell tells the stores that the workers have ended, which nobody else may be
// there to tell: else people would count on them until they have been silent for
// long, and what could not be settled would wait for its deadline. It is theirs
// alone, by ids that no other start of them has. A store that does not hear it
// comes to know by itself.
func farewell(posts []*post) {
	ctx, cancel := context.WithTimeout(context.Background(), farewellLimit)
	defer cancel()
	var all sync.WaitGroup
	for _, at := range posts {
		all.Go(func() {
			_, _ = at.leave.q.Expire(ctx, at.leave.id, queue.Failure{Cause: queue.CauseInterrupted, Message: "its worker has ended"})
		})
	}
	all.Wait()
}
