package command

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
	"sluice.dev/worker"
)

// A background process of every kind that the group kill has to reach.
const background = `exec 3>"$1"; ` + never + ` & (trap '' TERM HUP; ` + never + `) & `

func TestNothingIsLeftRunning(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		verb         queue.Verb
		cause        queue.Cause
	}{
		{"after exit code 0", background, queue.Ack, ""},
		{"after exit code 1", background + `exit 1`, queue.Nack, queue.CauseExitCode},
		{"after a crash", background + `kill -KILL $$`, queue.Nack, queue.CauseKilled},
		{"after the deadline", background + never, queue.Nack, queue.CauseDeadlineExceeded},
		{"after the deadline, with SIGTERM ignored", `trap '' TERM;` + background + never, queue.Nack, queue.CauseDeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFIFO(t)
			o := Options{Grace: 100 * time.Millisecond}
			if tt.cause == queue.CauseDeadlineExceeded {
				o.ItemDeadline = time.Second
			}
			want(t, script(t, o, tt.script).Handle(t.Context(), attempt(t, payload.Payload{Arg: f.path})), tt.verb, tt.cause)
			f.wantClosed(t)
		})
	}
}

// handleUntil cancels an item's context with cause once its command says that
// it runs.
func handleUntil(t *testing.T, cause error, grace time.Duration, text string) (*fifo, error) {
	t.Helper()
	f := newFIFO(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	h := script(t, Options{Grace: grace}, text)
	done := make(chan error, 1)
	go func() { done <- h.Handle(ctx, attempt(t, payload.Payload{Arg: f.path})) }()
	f.line(t)
	cancel(cause)
	select {
	case err := <-done:
		return f, err
	case <-time.After(soon):
		t.Fatal("the handler does not return")
		return nil, nil
	}
}

const running = `exec 3>"$1"; echo running >&3; `

func TestALostLeaseKillsAtOnce(t *testing.T) {
	t.Parallel()
	f, err := handleUntil(t, queue.ErrLeaseLost, time.Hour, `trap '' TERM; `+running+never)
	if !errors.Is(err, queue.ErrLeaseLost) {
		t.Error(err)
	}
	f.wantClosed(t)
}

func TestShutdown(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		grace        time.Duration
		verb         queue.Verb
		cause        queue.Cause
	}{
		{"a command that ends of SIGTERM is released", running + never, time.Hour, queue.Release, queue.CauseInterrupted},
		{"one that fails then is released", `trap 'exit 5' TERM; ` + running + never + ` & wait`, time.Hour, queue.Release, queue.CauseInterrupted},
		{"one that succeeds within the grace is done", `trap 'exit 0' TERM; ` + running + never + ` & wait`, time.Hour, queue.Ack, ""},
		{"one that ignores it is killed after the grace", `trap '' TERM; ` + running + never, 100 * time.Millisecond, queue.Release, queue.CauseInterrupted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := handleUntil(t, worker.ErrShutdown, tt.grace, tt.script)
			want(t, err, tt.verb, tt.cause)
			f.wantClosed(t)
		})
	}
}

func TestALeaseLostWithinTheGraceKillsAtOnce(t *testing.T) {
	t.Parallel()
	f := newFIFO(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	h := script(t, Options{ItemDeadline: 2 * time.Second, Grace: time.Hour},
		`exec 3>"$1"; trap 'echo told >&3' TERM; `+never+` & while :; do wait; done`)
	done := make(chan error, 1)
	go func() { done <- h.Handle(ctx, attempt(t, payload.Payload{Arg: f.path})) }()
	f.line(t)
	cancel(queue.ErrLeaseLost)
	select {
	case <-done:
	case <-time.After(soon):
		t.Fatal("the handler does not return")
	}
	f.wantClosed(t)
}

func TestACancelledContextRunsNothing(t *testing.T) {
	con := &shown{}
	h := script(t, Options{Console: con}, `echo ran`)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(worker.ErrShutdown)
	want(t, h.Handle(ctx, attempt(t, payload.Payload{})), queue.Release, queue.CauseInterrupted)
	if con.calls != 0 {
		t.Error("it ran")
	}
}
