package local

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"sluice.dev/internal/proc"
)

const (
	// guardVar tells the guard what the ids of the run's workers begin with.
	guardVar = "SLUICE_GUARD"

	// leaveLimit is how long the guard lets workers that live end by
	// themselves, which they do in milliseconds: they can still give back
	// what they hold.
	leaveLimit = 500 * time.Millisecond
	// guardLimit bounds the guard's sweep.
	guardLimit = 10 * time.Second
)

// GuardMain is the whole of the guard's process: it waits until the launcher
// is gone, gives living workers half a second to leave, and kills what remains of
// the run, workers included. A clean end of the run leaves it nothing to do.
// It ignores the signals by which a person or a service manager stops a run,
// since the end of the launcher is what ends it. A nil logger is silent.
func GuardMain(logger *slog.Logger) error {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	prefix := os.Getenv(guardVar)
	if prefix == "" {
		return fmt.Errorf("local: guard: %w: %s is not set", errByHand, guardVar)
	}
	lifeline, err := proc.InheritedPipe(lifelineFD, "lifeline", false)
	if err != nil {
		return fmt.Errorf("local: guard: %w: %w", errByHand, err)
	}
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM)
	<-proc.WatchLifeline(lifeline)

	ctx, cancel := context.WithTimeout(context.Background(), guardLimit)
	defer cancel()
	awaitWorkers(ctx, prefix)
	killed, err := proc.Sweep(ctx, prefix, false)
	if killed > 0 {
		logger.Warn("the run ended without cleaning up: killed what it left", "run", prefix, "processes", killed)
	}
	if err != nil {
		return fmt.Errorf("local: guard: %w", err)
	}
	return nil
}

// awaitWorkers returns when no worker lives any more, after leaveLimit, or
// when they cannot be counted: the sweep says why.
func awaitWorkers(ctx context.Context, prefix string) {
	ctx, cancel := context.WithTimeout(ctx, leaveLimit)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		if n, err := proc.Workers(prefix); err != nil || n == 0 {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// guard is the launcher's side of the guard's process.
type guard struct {
	cmd     *exec.Cmd
	closing chan struct{} // closed when its end is due
	ended   chan struct{} // closed when it was reaped
	err     error         // how it ended, readable after ended
}

// startGuard starts the guard in a session of its own, out of reach of the
// terminal's signals.
func startGuard(o Options, lifeline *proc.Lifeline) (*guard, error) {
	cmd := exec.Command(o.Executable, o.GuardArgs...)
	cmd.Env = append(proc.Unmarked(os.Environ()), guardVar+"="+idPrefix(o.Prefix))
	cmd.Stderr = o.Stderr
	cmd.ExtraFiles = []*os.File{lifeline.Reader()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := proc.Start(cmd); err != nil {
		return nil, fmt.Errorf("local: start the guard: %w", err)
	}
	g := &guard{cmd: cmd, closing: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(g.ended)
		g.err = proc.Wait(cmd)
		select {
		case <-g.closing:
		default:
			o.Logger.Error("the guard ended early: if this process and a worker are killed together, items may go on",
				"error", fmt.Sprint(g.err))
		}
	}()
	return g, nil
}

// wait waits for the end of the guard, which the caller has made due by
// closing the lifeline.
func (g *guard) wait(ctx context.Context) error {
	select {
	case <-g.ended:
		if g.err != nil {
			return fmt.Errorf("local: guard: %w", g.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("local: wait for the guard: %w", ctx.Err())
	}
}
