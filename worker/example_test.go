package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"sluice.dev/queue"
	"sluice.dev/queue/redisqueue"
	"sluice.dev/queue/redisqueue/embedded"
	"sluice.dev/worker"
)

// openQueues opens queues in a store of their own and puts items into each.
func openQueues(payloads map[string][]string) (queues map[string]*queue.Queue, closeAll func(), err error) {
	ctx := context.Background()
	store, err := embedded.Start()
	if err != nil {
		return nil, nil, err
	}
	queues = make(map[string]*queue.Queue)
	closeAll = func() {
		for _, q := range queues {
			_ = q.Close()
		}
		store.Close()
	}
	for name, list := range payloads {
		driver, err := redisqueue.Open(ctx, redisqueue.Options{URL: store.URL(), Queue: name})
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		queues[name] = queue.New(driver)
		var items []queue.Item
		for i, p := range list {
			items = append(items, queue.Item{ID: fmt.Sprint(name, "-", i+1), Payload: []byte(p)})
		}
		if _, err := queues[name].Enqueue(ctx, items); err != nil {
			closeAll()
			return nil, nil, err
		}
	}
	return queues, closeAll, nil
}

// A handler's error says what becomes of its item.
func ExampleNew() {
	queues, closeAll, err := openQueues(map[string][]string{"mail": {"ann@example.com", "nobody", "bob@example.com"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeAll()

	handler := worker.HandlerFunc(func(ctx context.Context, a *worker.Attempt) error {
		if string(a.Item.Payload) == "nobody" {
			return worker.Permanent(errors.New("no such address"))
		}
		fmt.Printf("%s: attempt %d sends to %s\n", a.Item.ID, a.Attempt, a.Item.Payload)
		a.Result = []byte("sent")
		return nil
	})
	w := worker.New(queues["mail"], handler, worker.Options{LeaveWhenIdle: true})
	result, err := w.Run(context.Background())
	fmt.Println(result, err)

	dead, err := queues["mail"].Items(context.Background(), queue.Query{States: []queue.State{queue.Dead}})
	if err != nil {
		fmt.Println(err)
	}
	for _, r := range dead {
		fmt.Println(r.Item.ID, "is dead:", r.Failures[0])
	}
	// Output:
	// mail-1: attempt 1 sends to ann@example.com
	// mail-3: attempt 1 sends to bob@example.com
	// left <nil>
	// mail-2 is dead: Error: no such address
}

// One queue has items of several kinds.
func ExampleMux() {
	queues, closeAll, err := openQueues(map[string][]string{"media": {
		`{"kind":"render","frame":7}`, `{"kind":"encode","codec":"av1"}`,
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeAll()

	mux := worker.NewMux(worker.KindField("kind"))
	mux.On("render", worker.HandlerFunc(func(ctx context.Context, a *worker.Attempt) error {
		var shot struct{ Frame int }
		if err := json.Unmarshal(a.Item.Payload, &shot); err != nil {
			return worker.Permanent(err)
		}
		fmt.Println("render frame", shot.Frame)
		return nil
	}))
	mux.On("encode", worker.HandlerFunc(func(context.Context, *worker.Attempt) error {
		fmt.Println("encode")
		return nil
	}))

	result, err := worker.New(queues["media"], mux, worker.Options{LeaveWhenIdle: true}).Run(context.Background())
	fmt.Println(result, err)
	// Output:
	// render frame 7
	// encode
	// left <nil>
}

// What is done around every item is a Middleware.
func ExampleChain() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	logged := func(next worker.Handler) worker.Handler {
		return worker.HandlerFunc(func(ctx context.Context, a *worker.Attempt) error {
			err := next.Handle(ctx, a)
			log.Info("handled", "item", a.Item.ID, "error", err)
			return err
		})
	}
	// An error that a person must look at is no reason to try again.
	final := func(next worker.Handler) worker.Handler {
		return worker.HandlerFunc(func(ctx context.Context, a *worker.Attempt) error {
			if err := next.Handle(ctx, a); errors.Is(err, os.ErrPermission) {
				return worker.Permanent(err)
			} else {
				return err
			}
		})
	}
	h := worker.Chain(worker.HandlerFunc(func(context.Context, *worker.Attempt) error {
		return os.ErrPermission
	}), logged, final)

	// A handler's test needs no store.
	a := worker.NewAttempt(queue.Lease{Item: queue.Item{ID: "a"}}, "w", 1, nil)
	ctx := context.Background()
	s := worker.Settlement(ctx, a.Lease, a.Result, h.Handle(ctx, a))
	fmt.Println(s.Verb, s.Failure)
	// Output:
	// level=INFO msg=handled item=a error="permission denied"
	// bury Error: permission denied
}

// Two queues share four slots: while both have work, three handlers of the one
// run beside one of the other; alone, each has all four.
func ExampleGroup() {
	queues, closeAll, err := openQueues(map[string][]string{
		"urgent": {"a", "b", "c"},
		"bulk":   {"d", "e"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer closeAll()

	done := make(chan string, 5)
	handle := worker.HandlerFunc(func(ctx context.Context, a *worker.Attempt) error {
		done <- a.Item.ID
		return nil
	})
	g := worker.NewGroup(4)
	g.Add(3, worker.New(queues["urgent"], handle, worker.Options{LeaveWhenIdle: true}))
	g.Add(1, worker.New(queues["bulk"], handle, worker.Options{LeaveWhenIdle: true}))
	result, err := g.Run(context.Background())
	fmt.Println(result, err)

	close(done)
	for id := range done {
		fmt.Println(id)
	}
	// Unordered output:
	// left <nil>
	// urgent-1
	// urgent-2
	// urgent-3
	// bulk-1
	// bulk-2
}
