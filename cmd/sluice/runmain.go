package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"sluice.dev/coordinator"
	"sluice.dev/coordinator/local"
	"sluice.dev/internal/console"
	"sluice.dev/internal/proc"
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

// floor is what all runs of a process stand on.
type floor struct {
	store   *embedded.Store
	console *console.Console
	joblog  *joblog       // nil without --joblog
	orphans *proc.Orphans // nil where there is one run, whose launcher sees to them
}

func (f *runFlags) floor() (*floor, error) {
	var log *joblog
	if f.joblog != "" {
		var err error
		if log, err = newJoblog(f.joblog); err != nil {
			return nil, err
		}
	}
	store, err := embedded.Start()
	if err != nil {
		return nil, errors.Join(&exitError{exitStore, err}, log.close())
	}
	o := console.Standard()
	o.Tag, o.Lines = f.tag, f.LineBuffer
	return &floor{store: store, console: console.New(o), joblog: log}, nil
}

// close tells the first error of what was shown and logged.
func (f *floor) close() error {
	err := errors.Join(f.joblog.close(), f.console.Close())
	f.store.Close()
	return err
}

// run is one input that flows through a queue of its own: the workers, and
// what becomes of the items.
type run struct {
	*floor
	flags   *runFlags
	command parsed
	source  producer.Source
	maker   *producer.Maker
	state   *state // nil without --state
	shape

	queue    *queue.Queue
	tally    tally // of the queue
	known    known
	launcher *local.Launcher
	loop     *coordinator.Loop
	lineup   *lineup // nil if neither order, log nor state is kept
	crew     crew
	ended    chan ending // the first to arrive ends the run

	mu     sync.Mutex
	depth  queue.Depth
	report producer.Report
}

// shape is in what the runs of a WorkQueue differ from that of a command line,
// which has the zero value.
type shape struct {
	name     string                        // begins what the run says
	policy   *queue.Policy                 // nil: what the flags say
	deadline time.Duration                 // of the batch; 0: none
	scale    coordinator.Options           // zero: as many as --parallelism says
	seats    *seats                        // shared with other runs; nil: with none
	items    func(worker string) itemFlags // what it runs; nil: what the flags say
	halted   func(ending)                  // told when --halt ends the run; may be nil
	hold     *hold                         // nil: nothing suspends it
	progress func(console.Snapshot)        // nil: the console shows it
}

// main is the whole of a "sluice run" of a command line.
func (r *run) main(ctx context.Context) (err error) {
	signals, ignore := heedSignals()
	defer ignore()
	if r.floor, err = r.flags.floor(); err != nil {
		return err
	}
	res, err := r.do(ctx, signals)
	err = errors.Join(err, r.floor.close())
	if res == nil {
		return err
	}
	return res.exit(errors.Join(err, res.summary.Print(os.Stderr)))
}

// heedSignals has the signals that end a run go to a channel.
func heedSignals() (signals chan os.Signal, ignore func()) {
	signals = make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// Whoever asks for SIGPIPE gets errors from a pipe that nobody reads. They
	// end the run; the signal would end the process.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	return signals, func() {
		signal.Stop(signals)
		signal.Stop(pipe)
	}
}

// do runs all, and returns when nothing of it runs any more. The result is nil
// if nothing was started, or if the store does not tell what became of it. The
// end of ctx ends the run within its grace.
func (r *run) do(ctx context.Context, signals <-chan os.Signal) (*result, error) {
	began := time.Now()
	if err := r.open(ctx); err != nil {
		return nil, &exitError{exitStore, err}
	}
	defer func() { _ = r.queue.Close() }()
	defer func() { _ = r.known.close() }()
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	defer r.hold.add(&held{suspend: func(on bool) { r.suspend(inner, on) }})()
	if err := r.launch(inner); err != nil {
		return nil, err
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.loop.Run(inner); err != nil {
			r.end(ending{code: exitStore, err: err})
		}
	})
	running.Go(func() { r.feed(inner) })

	e := r.await(ctx, signals)
	cancel()
	running.Wait()
	r.leave(e.manner, signals)
	return r.conclude(e, began)
}

// queueName is the run's own: a store of several runs has one for each.
func (r *run) queueName() string { return cmp.Or(r.name, batchName) }

// open opens the queue and says how it treats items.
func (r *run) open(ctx context.Context) error {
	d, err := redisqueue.Open(ctx, redisqueue.Options{URL: r.store.URL(), Queue: r.queueName()})
	if err != nil {
		return err
	}
	r.queue = queue.New(d)
	r.tally.Queue = r.queue
	p := r.policy
	if p == nil {
		p = &queue.Policy{
			BackoffLimit:  &r.flags.backoffLimit,
			RetryDelay:    r.flags.retryDelay,
			RetryDelayMax: max(r.flags.retryDelay, queue.DefaultPolicy().RetryDelayMax),
		}
	}
	stated := *p
	stated.Retention = retention
	// The driver itself takes a retention that is too short for people's queues.
	if _, err = d.SetPolicy(ctx, stated, false); err == nil && r.deadline > 0 {
		err = r.queue.OpenBatch(ctx, queue.Batch{Name: batchName, Deadline: r.deadline})
	}
	if err != nil {
		_ = r.queue.Close()
	}
	return err
}

// suspend holds back what is ready, or lets it go on.
func (r *run) suspend(ctx context.Context, on bool) {
	if err := r.queue.Pause(ctx, on); err != nil {
		r.end(ending{code: exitStore, err: err, manner: withinGrace})
	}
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
	if r.scale.Max > 0 { // a worker is one of a cluster's, with one item at a time
		slots = slices.Repeat([]int{1}, r.scale.Max)
	}
	r.crew.slots = make(map[string]int)
	r.launcher, err = local.New(local.Options{
		Prefix:    cmp.Or(r.name, "run") + "-" + uuid.NewString(),
		Args:      func(string) []string { return []string{workerProcess} },
		GuardArgs: []string{guardProcess},
		Slots:     slots,
		Config: func(id string, slots int) []byte {
			items := r.flags.itemFlags
			if r.items != nil {
				items = r.items(id)
			}
			b, err := json.Marshal(workerConfig{
				Store: r.store.URL(), Queue: r.queueName(), ID: id, Slots: slots, Stay: r.crew.joined(id, slots, r.scale.Min),
				Trust: r.flags.halt.never, Delay: r.flags.delay, Log: r.flags.joblog != "", State: r.flags.state, Watch: r.flags.watchFlags, Items: items,
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
		File:    starts,
		Orphans: r.orphans,
		OnExit:  r.exited,
	})
	if err != nil {
		return err
	}
	r.loop = coordinator.NewLoop(coordinator.Loop{
		Queue:    &r.tally,
		Launcher: team{r.launcher, &r.crew, r.seats},
		Options:  coordinator.Options{Min: r.scale.Min, Max: len(slots), ItemsPerWorker: max(slots[0], r.scale.ItemsPerWorker)},
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
	r.mu.Unlock()
	sealed := r.tally.whole
	show := r.progress
	if show == nil {
		show = r.console.Update
	}
	show(console.Snapshot{
		Done: d.Done, Total: d.Total(), Running: min(d.Leased, int64(r.flags.parallelism)),
		Delayed: d.Delayed, Dead: d.Dead, Slots: int64(r.flags.parallelism), Open: !sealed,
	})
	over, h := sealed && d.Unfinished() == 0, r.flags.halt
	switch reached := h.reached(d, sealed); {
	case reached && (!over || r.halted != nil):
		r.say("halted by --halt %s: %d done, %d dead", h, d.Done, d.Dead)
		e := ending{manner: finish, settled: h.what == "success"}
		if h.now {
			e.manner = atOnce
		}
		r.end(e)
		if r.halted != nil {
			r.halted(e)
		}
	case over:
		r.end(ending{settled: reached && h.what == "success", over: true})
	}
	ends, err := r.lineup.look(ctx, r.queue)
	if err != nil && ctx.Err() == nil {
		r.say("keep the order: %v", err)
	}
	for _, e := range ends {
		r.over(e)
	}
}

// over notes the end of an item.
func (r *run) over(e console.Event) {
	r.lineup.over(e)
	if err := r.state.over(e); err != nil {
		r.end(ending{code: exitStore, err: fmt.Errorf("--state: %w", err), manner: withinGrace})
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
	r.seats.give(1)
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
