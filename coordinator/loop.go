package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sluice.dev/queue"
)

// Launcher starts workers. It never ends one: a worker leaves when the queue
// lets it.
type Launcher interface {
	// Active counts the workers that are pending, starting or running and
	// not leaving.
	Active(ctx context.Context) (Count, error)
	// Launch starts up to n workers and tells how many it started, also when
	// it returns an error.
	Launch(ctx context.Context, n int) (started int, err error)
}

// Depther is all that the loop asks of a queue.
type Depther interface {
	Depth(ctx context.Context) (queue.Depth, error)
}

// Loop reads the depth, plans and launches, whenever something happened and,
// to mend what it missed, every Resync.
type Loop struct {
	Queue    Depther
	Launcher Launcher
	Options  Options
	Resync   time.Duration // at most this long between two looks; default 10 s
	// Observe is told of every look, from the loop's goroutine; may be nil.
	Observe func(queue.Depth, Decision)
	Logger  *slog.Logger // default: discards

	events chan struct{}
}

// retry is how long the loop waits after a store or a launcher failed.
const retry = time.Second

// NewLoop makes a loop ready for events.
func NewLoop(l Loop) *Loop {
	l.events = make(chan struct{}, 1)
	if l.Resync <= 0 {
		l.Resync = 10 * time.Second
	}
	if l.Logger == nil {
		l.Logger = slog.New(slog.DiscardHandler)
	}
	return &l
}

// Kick says that something happened: items came, a worker left. It never
// blocks, and may be called from anywhere.
func (l *Loop) Kick() {
	select {
	case l.events <- struct{}{}:
	default: // one look sees all that happened before it
	}
}

// Run looks until ctx ends, which is no error. A number that it cannot read
// launches nothing.
func (l *Loop) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.events:
		case <-timer.C:
		}
		next, err := l.look(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if !errors.Is(err, queue.ErrUnavailable) {
				return err
			}
			l.Logger.Warn("cannot plan", "error", err)
			next = retry
		}
		timer.Reset(next)
	}
}

// look plans once and tells when to look again.
func (l *Loop) look(ctx context.Context) (time.Duration, error) {
	depth, err := l.Queue.Depth(ctx)
	if err != nil {
		return 0, fmt.Errorf("coordinator: depth: %w", err)
	}
	live, err := l.Launcher.Active(ctx)
	if err != nil {
		return 0, fmt.Errorf("coordinator: workers: %w", err)
	}
	dec := Plan(depth, live, l.Options)
	if l.Observe != nil {
		l.Observe(depth, dec)
	}
	if dec.Launch > 0 {
		l.Logger.Debug("launching", "workers", dec.Launch, "reason", dec.Reason)
		if n, err := l.Launcher.Launch(ctx, dec.Launch); err != nil {
			return 0, fmt.Errorf("coordinator: started %d of %d workers: %w", n, dec.Launch, err)
		}
	}
	next := l.Resync
	if depth.NextDue >= 0 {
		next = min(next, depth.NextDue+time.Millisecond)
	}
	return next, nil
}
