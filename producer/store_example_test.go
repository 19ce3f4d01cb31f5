package producer_test

import (
	"context"
	"fmt"
	"sync"

	"sluice.dev/producer"
	"sluice.dev/queue"
	"sluice.dev/queue/redisqueue"
	"sluice.dev/queue/redisqueue/embedded"
)

// Eight goroutines add an item each: while one call of the store is under way,
// the items behind it gather and travel in the next.
func ExampleNew() {
	ctx := context.Background()
	store, err := embedded.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	driver, err := redisqueue.Open(ctx, redisqueue.Options{URL: store.URL(), Queue: "mail"})
	if err != nil {
		fmt.Println(err)
		return
	}
	q := queue.New(driver)
	defer q.Close()

	p := producer.New(q, producer.Options{})
	var requests sync.WaitGroup
	for n := range 8 {
		requests.Go(func() {
			it := queue.Item{ID: fmt.Sprint("order-", n/2), Payload: []byte("confirm")}
			if _, err := p.Add(ctx, it); err != nil {
				fmt.Println(err)
			}
		})
	}
	requests.Wait()
	p.Close()

	outcome, err := p.Add(ctx, queue.Item{ID: "late"})
	fmt.Println(outcome == queue.Added, err)
	depth, err := q.Depth(ctx)
	fmt.Println(depth.Ready, "ready,", err)
	// Output:
	// false the producer is closed
	// 4 ready, <nil>
}

func ExampleFrames() {
	for r, err := range producer.Frames("1-10,20-16x2", producer.FrameOptions{Chunk: 4, Pad: 4}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: render from %s to %s by %s\n", r.Arg, r.Fields["start"], r.Fields["end"], r.Fields["step"])
	}
	// Output:
	// 0001-0004: render from 0001 to 0004 by 1
	// 0005-0008: render from 0005 to 0008 by 1
	// 0009-0010: render from 0009 to 0010 by 1
	// 0020-0016x2: render from 0020 to 0016 by 2
}

func ExampleSweep() {
	for r, err := range producer.Sweep(
		producer.Axis{Name: "rate", Values: []string{"0.1", "0.01"}},
		producer.Axis{Name: "seed", Values: []string{"1", "2"}},
	) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.Arg)
	}
	// Output:
	// rate=0.1 seed=1
	// rate=0.1 seed=2
	// rate=0.01 seed=1
	// rate=0.01 seed=2
}
