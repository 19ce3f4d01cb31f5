package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"sluice.dev/coordinator"
	"sluice.dev/coordinator/local"
	"sluice.dev/internal/console"
	"sluice.dev/producer"
	"sluice.dev/queue"
	"sluice.dev/queue/redisqueue"
	"sluice.dev/queue/redisqueue/embedded"
)

const (
	batchName = "run"
	// ahead is how many ready items a fast pipe may be ahead of the workers.
	ahead = 10_000
	// look is how often the run looks at the queue for the progress line and
	// for what no event told.
	look = 250 * time.Millisecond
)

// run is one "sluice run": the store, the workers, and the input that flows
// through them.
type run struct {
	flags   *runFlags
	command parsed
	source  producer.Source
	maker   *producer.Maker

	store    *embedded.Store
	queue    *queue.Queue
	launcher *local.Launcher
	loop     *coordinator.Loop
	console  *console.Console
	lineup   *lineup // nil if neither order nor log is kept
	state    *state  // nil without --state
	crew     crew
	ended    chan ending // the first to arrive ends the run

	mu     sync.Mutex
	depth  queue.Depth
	report producer.Report
	sealed bool
}

func (r *run) main(ctx context.Context) error {
	began := time.Now()
	r.ended = make(chan ending, 1)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	// Whoever asks for SIGPIPE gets errors from a pipe that nobody reads. They
	// end the run; the signal would end the process.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)

	if err := r.open(ctx); err != nil {
		return &exitError{exitStore, err}
	}
	defer r.store.Close()
	defer func() { _ = r.queue.Close() }()
	o := console.Standard()
	o.Tag, o.Lines = r.flags.tag, r.flags.LineBuffer
	r.console = console.New(o)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := r.launch(ctx); err != nil {
		return errors.Join(err, r.console.Close())
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.loop.Run(ctx); err != nil {
			r.end(ending{code: exitStore, err: err})
		}
	})
	running.Go(func() { r.feed(ctx) })

	e := r.await(signals)
	cancel()
	running.Wait()
	r.leave(e.manner, signals)
	return r.conclude(e, began)
}

// open starts the store and says how its queue treats items.
func (r *run) open(ctx context.Context) (err error) {
	if r.store, err = embedded.Start(); err != nil {
		return err
	}
	d, err := redisqueue.Open(ctx, redisqueue.Options{URL: r.store.URL(), Queue: batchName})
	if err != nil {
		r.store.Close()
		return err
	}
	r.queue = queue.New(d)
	_, err = r.queue.SetPolicy(ctx, queue.Policy{
		BackoffLimit:  &r.flags.backoffLimit,
		RetryDelay:    r.flags.retryDelay,
		RetryDelayMax: max(r.flags.retryDelay, queue.DefaultPolicy().RetryDelayMax),
		Retention:     365 * day, // the life of the run
	}, false)
	return err
}

// launch makes ready to start workers: none runs yet.
func (r *run) launch(ctx context.Context) (err error) {
	sink, err := r.sink()
	if err != nil {
		return err
	}
	var starts *os.File
	if r.flags.delay > 0 {
		if starts, err = newStarts(); err != nil {
			return err
		}
	}
	slots := slotsOf(r.flags.parallelism)
	r.crew.slots = make(map[string]int)
	r.launcher, err = local.New(local.Options{
		Prefix:    "run-" + uuid.NewString(),
		Args:      func(string) []string { return []string{workerProcess} },
		GuardArgs: []string{guardProcess},
		Slots:     slots,
		Config: func(id string, slots int) []byte {
			r.crew.joined(id, slots)
			b, err := json.Marshal(workerConfig{
				Store: r.store.URL(), Queue: batchName, ID: id, Slots: slots,
				Delay: r.flags.delay, Log: r.flags.joblog != "", State: r.flags.state, Items: r.flags.itemFlags,
			})
			if err != nil {
				panic("sluice: " + err.Error()) // strings and numbers: cannot fail
			}
			return b
		},
		Frames: func(_ string, pipe io.ReadCloser) {
			defer func() { _ = pipe.Close() }()
			_ = console.ReadFrames(pipe, sink) // a worker lost in mid-frame: OnExit tells
		},
		File:   starts,
		OnExit: r.exited,
	})
	if err != nil {
		return err
	}
	r.loop = coordinator.NewLoop(coordinator.Loop{
		Queue:    r.queue,
		Launcher: team{r.launcher, &r.crew},
		Options:  coordinator.Options{Max: len(slots), ItemsPerWorker: slots[0]},
		Resync:   look,
		Observe:  func(d queue.Depth, _ coordinator.Decision) { r.observe(ctx, d) },
	})
	return nil
}

// slotsOf shares n slots among worker processes: one each up to eight, so that
// a worker that dies takes little with it; more each beyond, since a process
// costs memory.
func slotsOf(n int) []int {
	const most = 8
	each := (n + most - 1) / most
	var slots []int
	for ; n > 0; n -= each {
		slots = append(slots, min(n, each))
	}
	return slots
}

// observe keeps the numbers for the progress line, and ends the run when
// nothing is left to do.
func (r *run) observe(ctx context.Context, d queue.Depth) {
	r.mu.Lock()
	r.depth = d
	sealed := r.sealed
	r.mu.Unlock()
	r.console.Update(console.Snapshot{
		Done: d.Done, Total: d.Total(), Running: min(d.Leased, int64(r.flags.parallelism)),
		Delayed: d.Delayed, Dead: d.Dead, Open: !sealed,
	})
	switch h := r.flags.halt; {
	case sealed && d.Unfinished() == 0:
		r.end(ending{settled: h.what == "success" && h.reached(d, sealed)})
	case h.reached(d, sealed):
		r.say("halted by --halt %s: %d done, %d dead", h, d.Done, d.Dead)
		e := ending{manner: finish, settled: h.what == "success"}
		if h.now {
			e.manner = atOnce
		}
		r.end(e)
	}
	if err := r.lineup.look(ctx, r.queue); err != nil {
		r.say("keep the order: %v", err)
	}
}

func (r *run) running() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return min(r.depth.Leased, int64(r.flags.parallelism))
}

// exited settles for a worker that cannot any more, and looks at why.
func (r *run) exited(e local.Exit) {
	reason := r.crew.left(e)
	if e.Code != exitDone && e.Code != exitDrained {
		r.lineup.lose()
	}
	if e.Err == nil && !e.Asked {
		// Nothing of it runs: its leases need not run out.
		_, err := r.queue.Expire(context.Background(), e.ID, queue.Failure{Cause: queue.CauseLeaseExpired, Message: "its worker ended: " + e.String()})
		if err != nil {
			r.say("leases of worker %s: %v", e.ID, err)
		}
	}
	if reason != "" {
		r.end(ending{code: exitDead, err: errors.New(reason), manner: withinGrace})
	}
	r.loop.Kick()
}
