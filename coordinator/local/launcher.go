package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"

	"sluice.dev/internal/proc"
)

// ErrStopping refuses to launch after Drain, Finish, Stop, Kill or Close.
var ErrStopping = errors.New("the launcher is stopping")

// Count is how many workers may take new items.
type Count struct {
	Live  int // workers that are starting or running and not leaving
	Slots int // theirs together
}

// Launcher keeps the worker processes of one run. It is safe for concurrent
// use. A process that has several at a time gives them Options.Orphans: it is the
// parent of all its orphaned descendants, whoever's they are.
type Launcher struct {
	o        Options
	orphans  *proc.Orphans // nil when they are the program's
	lifeline *proc.Lifeline
	guard    *guard // nil where there is none

	launching sync.Mutex // held through Launch, while callbacks run
	closing   sync.Once
	closed    error

	mu       sync.Mutex
	last     int       // number in the newest id
	workers  []*worker // until they are done
	taken    []bool    // positions of Options.Slots
	stopping bool
}

// New starts the guard; workers start with Launch. The caller must Close the
// launcher.
func New(o Options) (*Launcher, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	l := &Launcher{o: o, taken: make([]bool, len(o.Slots))}
	if o.Orphans == nil {
		if l.orphans, err = proc.Adopt(); err != nil {
			return nil, fmt.Errorf("local: %w", err)
		}
	}
	if l.lifeline, err = proc.NewLifeline(); err != nil {
		l.abandon()
		return nil, fmt.Errorf("local: %w", err)
	}
	if guarded {
		if l.guard, err = startGuard(o, l.lifeline); err != nil {
			l.abandon()
			return nil, errors.Join(err, l.lifeline.Close())
		}
	}
	return l, nil
}

// abandon leaves later orphans to themselves, unless they are the program's.
func (l *Launcher) abandon() {
	if l.orphans != nil {
		l.orphans.Close()
	}
}

// Active counts the workers that may take new items. It never fails.
func (l *Launcher) Active(context.Context) (Count, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var c Count
	for _, w := range l.workers {
		if !w.leaving {
			c.Live++
			c.Slots += w.slots
		}
	}
	return c, nil
}

// Launch starts up to n workers, no more than there are free positions in
// Options.Slots, the first ones first, and returns how many it started. It
// stops at the first that cannot start and at the end of ctx, and fails with
// ErrStopping after Drain, Finish, Stop, Kill or Close. That a worker started says nothing
// of how it fares: OnExit tells when it ends.
func (l *Launcher) Launch(ctx context.Context, n int) (started int, err error) {
	l.launching.Lock()
	defer l.launching.Unlock()
	for started < n {
		if err := ctx.Err(); err != nil {
			return started, fmt.Errorf("local: launch: %w", err)
		}
		w, err := l.next()
		if err != nil {
			return started, err
		}
		if w == nil {
			return started, nil
		}
		if err := l.start(w); err != nil {
			return started, fmt.Errorf("local: start worker %s: %w", w.id, err)
		}
		started++
	}
	return started, nil
}

// next takes the first free position for a new worker; nil if there is none.
func (l *Launcher) next() (*worker, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		return nil, fmt.Errorf("local: launch: %w", ErrStopping)
	}
	i := slices.Index(l.taken, false)
	if i < 0 {
		return nil, nil
	}
	l.taken[i] = true
	l.last++
	return &worker{
		id:       fmt.Sprintf("%s%d", idPrefix(l.o.Prefix), l.last),
		position: i,
		slots:    l.o.Slots[i],
		done:     make(chan struct{}),
	}, nil
}

// Drain asks every worker to leave, with SIGTERM: it claims nothing more,
// finishes its items or gives them back, and ends. Nothing is launched any
// more. Drain does not wait; Wait does.
func (l *Launcher) Drain() { l.stop(syscall.SIGTERM) }

// Finish asks every worker to leave as Drain does, with SIGUSR1: it may take as
// long over its items as they need.
func (l *Launcher) Finish() { l.stop(syscall.SIGUSR1) }

// Stop asks every worker to leave as Drain does, with SIGINT, and to end its
// items at once.
func (l *Launcher) Stop() { l.stop(syscall.SIGINT) }

// Kill kills every worker at once, and with it its items. Nothing is launched
// any more. Kill does not wait; Wait does.
func (l *Launcher) Kill() { l.stop(syscall.SIGKILL) }

func (l *Launcher) stop(sig syscall.Signal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopping = true
	for _, w := range l.workers {
		w.leaving = true
		if w.cmd.Process.Signal(sig) == nil { // it fails for one that has ended
			w.asked = true
		}
	}
}

// Wait returns when every worker has ended, everything that it started was
// killed, its frames were read and OnExit has returned; or at the end of ctx,
// with its error.
func (l *Launcher) Wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		var w *worker
		if len(l.workers) > 0 {
			w = l.workers[0]
		}
		l.mu.Unlock()
		if w == nil {
			return nil
		}
		select {
		case <-w.done:
		case <-ctx.Done():
			return fmt.Errorf("local: wait for worker %s: %w", w.id, ctx.Err())
		}
	}
}

// Close kills the workers that still run, waits for them as Wait does, ends
// the lifeline and waits for the guard. At the end of ctx it returns with an
// error and leaves the rest to the guard. A second Close does nothing and
// returns what the first did.
func (l *Launcher) Close(ctx context.Context) error {
	l.closing.Do(func() { l.closed = l.close(ctx) })
	return l.closed
}

func (l *Launcher) close(ctx context.Context) error {
	l.Kill()
	errs := []error{l.Wait(ctx)}
	if errs[0] == nil && l.orphans != nil {
		killed, err := l.orphans.Kill(ctx)
		if killed > 0 {
			l.o.Logger.Warn("killed processes that had left their items", "processes", killed)
		}
		errs = append(errs, err)
	}
	if l.guard != nil {
		close(l.guard.closing)
	}
	errs = append(errs, l.lifeline.Close())
	if l.guard != nil {
		errs = append(errs, l.guard.wait(ctx))
	}
	l.abandon()
	return errors.Join(errs...)
}
