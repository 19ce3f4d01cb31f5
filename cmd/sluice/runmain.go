package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	// patience is how long items have after a second interrupt.
	patience = 2 * time.Second
)

// run is one "sluice run": the store, the workers, and the input that flows
// through them.
type run struct {
	flags  *runFlags
	source producer.Source
	maker  *producer.Maker

	store    *embedded.Store
	queue    *queue.Queue
	launcher *local.Launcher
	loop     *coordinator.Loop
	console  *console.Console
	crew     crew
	ended    chan ending // the first to arrive ends the run

	mu     sync.Mutex
	depth  queue.Depth
	report producer.Report
	sealed bool
}

// ending is why a run ends, and its exit code if that is not for the items to
// say.
type ending struct {
	code   int
	err    error
	signal bool
}

// end ends the run, unless something else did before.
func (r *run) end(e ending) {
	select {
	case r.ended <- e:
	default:
	}
}

func (r *run) main(ctx context.Context) error {
	began := time.Now()
	r.ended = make(chan ending, 1)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	if err := r.open(ctx); err != nil {
		return &exitError{exitStore, err}
	}
	defer r.store.Close()
	defer func() { _ = r.queue.Close() }()
	r.console = console.New(console.Standard())
	if err := r.launch(); err != nil {
		_ = r.console.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.loop.Run(ctx); err != nil {
			r.end(ending{code: exitStore, err: err})
		}
	})
	input := make(chan struct{})
	go func() { // not waited for: a read of standard input may never return
		defer close(input)
		r.feed(ctx)
	}()

	var e ending
	select {
	case e = <-r.ended:
	case s := <-signals:
		e = ending{code: exitInterrupted, signal: true}
		_, _ = fmt.Fprintf(r.console, "sluice: %s: %d running items have %s to finish; once more stops them now\n", s, r.running(), short(r.flags.Grace))
	}
	cancel()
	running.Wait()
	r.leave(signals)
	if err := r.console.Close(); err != nil && e.err == nil && e.code == 0 {
		e = ending{code: exitDead, err: fmt.Errorf("output: %w", err)}
	}
	return r.conclude(e, time.Since(began))
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
func (r *run) launch() (err error) {
	slots := slotsOf(r.flags.parallelism)
	r.crew.slots = make(map[string]int)
	r.launcher, err = local.New(local.Options{
		Prefix:    "run-" + uuid.NewString(),
		Args:      func(string) []string { return []string{workerProcess} },
		GuardArgs: []string{guardProcess},
		Slots:     slots,
		Config: func(id string, slots int) []byte {
			r.crew.joined(id, slots)
			b, err := json.Marshal(workerConfig{Store: r.store.URL(), Queue: batchName, ID: id, Slots: slots, Items: r.flags.itemFlags})
			if err != nil {
				panic("sluice: " + err.Error()) // strings and numbers: cannot fail
			}
			return b
		},
		Frames: func(_ string, pipe io.ReadCloser) {
			defer func() { _ = pipe.Close() }()
			_ = console.ReadFrames(pipe, sink{r.console, r}) // a worker lost in mid-frame: OnExit tells
		},
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
		Observe:  r.observe,
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

// feed enqueues the input and seals the batch.
func (r *run) feed(ctx context.Context) {
	queued := int64(0)
	report, err := producer.Enqueue(ctx, kicker{r.queue, r.loop}, r.source, r.maker, producer.EnqueueOptions{
		Outputs: r.outputs(),
		Room: func(ctx context.Context, n int) error {
			for queued > ahead {
				d, err := r.queue.Depth(ctx)
				if err != nil {
					return err
				}
				if queued = d.Ready; queued > ahead {
					select {
					case <-time.After(look / 5):
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				}
			}
			queued += int64(n)
			return nil
		},
	})
	if err == nil {
		err = r.queue.Seal(ctx, batchName)
	}
	r.mu.Lock()
	r.report, r.sealed = report, err == nil
	r.mu.Unlock()
	switch {
	case err == nil:
		r.loop.Kick()
	case ctx.Err() == nil:
		code := exitUsage
		if _, store := errors.AsType[*producer.StoreError](err); store || errors.Is(err, queue.ErrUnavailable) {
			code = exitStore
		}
		r.end(ending{code: code, err: fmt.Errorf("%w\n%s were enqueued before; those that had started were finished", err, report)})
	}
}

// kicker tells the loop of what it enqueues.
type kicker struct {
	*queue.Queue
	loop *coordinator.Loop
}

func (k kicker) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	defer k.loop.Kick()
	return k.Queue.Enqueue(ctx, items)
}

// outputs says how outputs that are there already are treated. An item of this
// run is in its own way: its line came twice.
func (r *run) outputs() producer.Outputs {
	return producer.Outputs{
		Existing: producer.Existing(r.flags.Existing),
		Ours: func(ctx context.Context, it queue.Item) (bool, error) {
			if r.queue == nil { // before the start nothing is
				return false, nil
			}
			known, err := r.queue.Items(ctx, queue.Query{ID: it.ID})
			return len(known) > 0, err
		},
	}
}

// observe keeps the numbers for the progress line, and ends the run when
// nothing is left to do.
func (r *run) observe(d queue.Depth, _ coordinator.Decision) {
	r.mu.Lock()
	r.depth = d
	sealed := r.sealed
	r.mu.Unlock()
	r.console.Update(console.Snapshot{
		Done: d.Done, Total: d.Total(), Running: min(d.Leased, int64(r.flags.parallelism)),
		Delayed: d.Delayed, Dead: d.Dead, Open: !sealed,
	})
	if sealed && d.Unfinished() == 0 {
		r.end(ending{})
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
	if e.Err == nil && !e.Asked {
		// Nothing of it runs: its leases need not run out.
		_, err := r.queue.Expire(context.Background(), e.ID, queue.Failure{Cause: queue.CauseLeaseExpired, Message: "its worker ended: " + e.String()})
		if err != nil {
			_, _ = fmt.Fprintf(r.console, "sluice: leases of worker %s: %v\n", e.ID, err)
		}
	}
	if reason != "" {
		r.end(ending{code: exitDead, err: errors.New(reason)})
	}
	r.loop.Kick()
}

// leave has the workers finish or give back what they hold, and waits for them.
// A second signal has them stop their items, and kills them soon after.
func (r *run) leave(signals <-chan os.Signal) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = r.launcher.Wait(context.Background())
	}()
	r.launcher.Drain()
	select {
	case <-gone:
	case <-signals:
		r.launcher.Drain()
		select {
		case <-gone:
		case <-time.After(patience):
			r.launcher.Kill()
			<-gone
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.launcher.Close(ctx); err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "sluice: %v\n", err)
	}
}

// conclude prints what became of the items, and turns it into an exit code.
func (r *run) conclude(e ending, took time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	d, err := r.queue.Depth(ctx)
	if err != nil {
		return &exitError{exitStore, err}
	}
	var dead []queue.Record
	if d.Dead > 0 {
		if dead, err = r.queue.Items(ctx, queue.Query{States: []queue.State{queue.Dead}}); err != nil {
			return &exitError{exitStore, err}
		}
	}
	r.sweep(ctx, d, dead)
	r.mu.Lock()
	report := r.report
	r.mu.Unlock()
	if err := (console.Summary{
		Lines: report.Lines, Items: report.Items, Duplicates: report.Duplicates, Skipped: report.Skipped,
		Done: d.Done, Dead: d.Dead, Left: d.Unfinished(), Elapsed: took, Records: dead,
	}).Print(os.Stderr); err != nil {
		return err
	}
	switch {
	case e.err != nil || e.code != 0:
		return &exitError{e.code, e.err}
	case d.Dead > 0:
		return &exitError{code: exitDead}
	}
	return nil
}
