package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"sluice.dev/internal/console"
	"sluice.dev/internal/proc"
	"sluice.dev/producer"
)

// queueSet is one "sluice run -f" of files with WorkQueues: a run for each of
// their batches, and the Jobs and CronJobs beside them.
type queueSet struct {
	*floor
	flags *runFlags
	work  manifestWork
	pods  *podOutput

	stop context.CancelFunc // ends all within their grace, and begins no more

	mu          sync.Mutex
	live        map[*run]chan os.Signal
	progress    map[*run]console.Snapshot
	waiting     int // WorkQueues whose turn has not come
	halted      bool
	interrupted bool
	batches     []*batch // in the order in which they ended
}

// batch is one batch of a WorkQueue, and what became of it.
type batch struct {
	queue  *workQueue
	name   string
	result *result // nil: it did not run
	err    error
	after  string // the batch that was not Complete, so that this one did not run
}

// complete tells whether all of it is done.
func (b *batch) complete() bool { return b.err == nil && b.result != nil && b.result.complete() }

func newQueueSet(f *runFlags, work manifestWork) *queueSet {
	return &queueSet{
		flags: f, work: work,
		live: make(map[*run]chan os.Signal), progress: make(map[*run]console.Snapshot),
	}
}

func (s *queueSet) main(ctx context.Context) (err error) {
	if s.flags.state != "" {
		defer func() { err = cmp.Or(err, s.closeStates()) }()
		if err := s.openStates(); err != nil {
			return err
		}
	}
	if err := s.check(ctx); err != nil {
		return err
	}
	signals, ignore := heedSignals()
	defer ignore()
	if s.floor, err = s.flags.floor(); err != nil {
		return err
	}
	if s.orphans, err = proc.Adopt(); err != nil {
		return errors.Join(err, s.floor.close())
	}
	outcomes, err := s.run(ctx, signals)
	err = errors.Join(err, s.leave(), s.floor.close())
	s.pods.tables(outcomes)
	return s.exit(errors.Join(err, s.summaries(os.Stderr)), failedJobs(outcomes))
}

func (s *queueSet) openStates() error {
	for _, q := range s.work.queues {
		var err error
		if q.state, err = openState(q.flags.state, q.flags.retryDead); err != nil {
			return err
		}
	}
	return nil
}

func (s *queueSet) closeStates() error {
	var errs []error
	for _, q := range s.work.queues {
		errs = append(errs, q.state.close())
	}
	return errors.Join(errs...)
}

// check reads every source before anything starts, but for files that a
// WorkQueue before it may make.
func (s *queueSet) check(ctx context.Context) error {
	var errs []error
	for _, q := range s.work.queues {
		r, err := s.newRun(q, q.name)
		if err == nil && (q.after == "" || !q.source.OfFiles()) {
			_, err = producer.Check(ctx, r.source, r.maker, r.outputs())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: WorkQueue %s: %w", q.Position, q.name, err))
		}
	}
	if len(errs) > 0 {
		return usage(errors.Join(errs...))
	}
	return nil
}

// newRun is the run of a batch.
func (s *queueSet) newRun(q *workQueue, name string) (*run, error) {
	p, err := q.flags.parse()
	if err != nil {
		return nil, err
	}
	maker, err := q.flags.maker(p)
	if err != nil {
		return nil, err
	}
	r := &run{
		floor: s.floor, flags: q.flags, command: p, source: q.source.Records(), maker: maker,
		state: q.state, shape: q.shape, ended: make(chan ending, 1),
	}
	r.name = name
	r.progress = func(d console.Snapshot) { s.show(r, d) }
	r.halted = s.halt
	return r, nil
}

// run runs all until it has ended.
func (s *queueSet) run(ctx context.Context, signals <-chan os.Signal) (outcomes []outcome, err error) {
	ctx, s.stop = context.WithCancel(ctx)
	defer s.stop()
	s.pods = newPodOutput(itemStream{s.console, console.Stdout}, s.console, true)
	if s.flags.tag {
		s.pods.after = "\t"
	}
	s.work.notice(s.pods.say)
	defer s.work.watch.start(ctx, s.pods.say)()

	killed, kill := context.WithCancel(context.Background())
	defer kill()
	var all sync.WaitGroup
	if len(s.work.jobs)+len(s.work.crons) > 0 {
		m := newManifestRun(s.work, s.pods)
		unguard, err := startGuard(m.id)
		if err != nil {
			return nil, err
		}
		defer unguard()
		defer m.sweep()
		all.Go(func() { outcomes = m.run(ctx, killed) })
	}
	s.waiting = len(s.work.queues)
	for _, q := range s.work.queues {
		switch {
		case q.after != "":
		case q.cron != nil:
			all.Go(func() { s.schedule(ctx, q) })
		default:
			all.Go(func() { s.chain(ctx, q, "", s.note) })
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		all.Wait()
	}()
	s.heed(done, signals, kill)
	return outcomes, nil
}

// heed waits for the end of all. The first signal ends them within their grace,
// the next ones make the end harder.
func (s *queueSet) heed(done <-chan struct{}, signals <-chan os.Signal, kill func()) {
	broken := s.console.Broken()
	for {
		select {
		case <-done:
			return
		case <-broken: // closing the console tells the error
			broken = nil
			s.stop()
		case sig := <-signals:
			s.mu.Lock()
			again := s.interrupted
			s.interrupted = true
			for _, heard := range s.live {
				if again {
					select {
					case heard <- sig:
					default: // it has enough of them
					}
				}
			}
			s.mu.Unlock()
			if again {
				kill()
				continue
			}
			s.pods.say("%s: what runs has terminationGracePeriodSeconds to finish; once more stops it now", sig)
			s.stop()
		}
	}
}

// chain runs a batch of a WorkQueue and, when it is Complete, one of each that
// follows it. It tells of each batch, and whether all are Complete.
func (s *queueSet) chain(ctx context.Context, q *workQueue, suffix string, tell func(*batch)) (complete bool) {
	b := &batch{queue: q, name: q.name + suffix}
	s.turn()
	b.result, b.err = s.batch(ctx, b)
	tell(b)
	complete = b.complete()
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, next := range s.work.queues {
		if next.after != q.name {
			continue
		}
		all.Go(func() {
			ok := complete && ctx.Err() == nil
			if ok {
				ok = s.chain(ctx, next, suffix, tell)
			} else {
				s.skip(ctx, next, suffix, b.name, tell)
			}
			mu.Lock()
			defer mu.Unlock()
			complete = complete && ok
		})
	}
	all.Wait()
	return complete
}

// skip tells of a batch, and of those that would follow it, that it does not
// run.
func (s *queueSet) skip(ctx context.Context, q *workQueue, suffix, after string, tell func(*batch)) {
	s.turn()
	b := &batch{queue: q, name: q.name + suffix, after: after}
	if ctx.Err() == nil {
		s.pods.say("%s: does not run: %s is not Complete", b.name, after)
	}
	tell(b)
	for _, next := range s.work.queues {
		if next.after == q.name {
			s.skip(ctx, next, suffix, b.name, tell)
		}
	}
}

// turn notes that a WorkQueue waits no longer.
func (s *queueSet) turn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = max(0, s.waiting-1)
}

// batch runs one batch.
func (s *queueSet) batch(ctx context.Context, b *batch) (*result, error) {
	r, err := s.newRun(b.queue, b.name)
	if err != nil {
		return nil, usage(err)
	}
	if b.queue.cron == nil { // no other batch of it will come
		defer b.queue.hold.end()
	}
	defer b.queue.hold.add(&held{running: func() bool { return r.running() > 0 }})()
	signals := make(chan os.Signal, 4)
	s.mu.Lock()
	s.live[r] = signals
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.live, r)
		if b.queue.cron != nil {
			delete(s.progress, r)
		}
	}()
	return r.do(ctx, signals)
}

func (s *queueSet) note(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, b)
}

// show puts the progress of all runs on the console, as one.
func (s *queueSet) show(r *run, d console.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress[r] = d
	sum := console.Snapshot{Open: s.waiting > 0}
	for _, d := range s.progress {
		sum.Done += d.Done
		sum.Total += d.Total
		sum.Running += d.Running
		sum.Delayed += d.Delayed
		sum.Dead += d.Dead
		sum.Slots += d.Slots
		sum.Open = sum.Open || d.Open
	}
	s.console.Update(sum)
}

// halt ends all runs as the one that was halted.
func (s *queueSet) halt(e ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halted = true
	for r := range s.live {
		r.end(e)
	}
	s.stop() // what has an ending keeps it
}

// leave kills what has left its item's and its pod's processes.
func (s *queueSet) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err := s.orphans.Kill(ctx)
	s.orphans.Close()
	return err
}

// itemStream writes to one stream of the console, with nothing between.
type itemStream struct {
	console *console.Console
	stream  console.Stream
}

func (w itemStream) Write(b []byte) (int, error) {
	g := w.console.Item(console.ItemHead{})
	defer g.End(true)
	g.Write(w.stream, b)
	return len(b), nil
}

// byFile puts batches into the order of the files, and those of one WorkQueue
// by their age, which their names tell.
func (s *queueSet) byFile() []*batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(s.batches), func(a, b *batch) int {
		return cmp.Or(cmp.Compare(slices.Index(s.work.queues, a.queue), slices.Index(s.work.queues, b.queue)), cmp.Compare(a.name, b.name))
	})
}
