// Package command runs a command for each item: it starts it in a process group
// of its own, ends it when its time is over, leaves nothing of it running, and
// publishes what it wrote to {out}.
//
// A command gets its words as they are, without a shell between, an empty
// stdin, and the item's particulars in its environment: SLUICE_ITEM_ID,
// SLUICE_ATTEMPT, SLUICE_TOKEN, SLUICE_SLOT, SLUICE_WORKER, SLUICE_ARG_NAME for
// each field and, under an item deadline, SLUICE_DEADLINE_SECONDS.
//
// Its stdout and stderr are files, so that nothing it leaves behind can hold
// the item up. A command that opens /dev/stdout or /dev/stderr anew with ">"
// therefore cuts off what was written before; ">&2" and ">>" do not.
//
// The whole process group ends with its leader. A process that has left the
// group, as daemons do, goes on; SLUICE_WORKER in its environment tells whose
// it is.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"sluice.dev/internal/identity"
	"sluice.dev/internal/payload"
	"sluice.dev/queue"
	"sluice.dev/worker"
	"sluice.dev/worker/publish"
	"sluice.dev/worker/template"
)

// Handler is a worker.Handler that runs a command for each item. It is safe for
// concurrent use.
type Handler struct {
	o       Options
	env     []string // what all items share
	program string   // where the command is; "" when its name is made from the item
	devNull *os.File // everybody's stdin
	scratch captures
	running runs
	oom     *oomCounter
}

var _ worker.Persistent = (*Handler)(nil)

// NotRunnable is a command that cannot be run on this machine, whatever the
// item.
type NotRunnable struct {
	Name string
	Err  error
}

func (e *NotRunnable) Error() string {
	text := fmt.Sprintf("cannot run %q: %v", e.Name, e.Err)
	if strings.Contains(e.Name, " ") {
		text += ": no shell takes it apart into words (see --shell)"
	}
	return text
}
func (e *NotRunnable) Unwrap() error { return e.Err }

// New returns a handler. It checks its options, the scratch directory and,
// unless its name is made from the item, that the command can be found (in this
// process's PATH) and executed: a *NotRunnable if not.
func New(o Options) (*Handler, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}
	h := &Handler{o: o, env: baseEnv(os.Environ(), o), scratch: captures{dir: o.Dir}, oom: newOOMCounter(oomEvents())}
	if h.scratch.dir == "" {
		h.scratch.dir = os.TempDir()
	}
	if name, fixed := o.Template.Program(); fixed {
		if h.program, err = lookPath(name); err != nil {
			return nil, err
		}
	}
	if h.devNull, err = os.Open(os.DevNull); err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}
	c, err := h.scratch.get()
	if err != nil {
		_ = h.devNull.Close()
		return nil, fmt.Errorf("command: %w", err)
	}
	h.scratch.put(c)
	return h, nil
}

// Close gives the scratch files back. No Handle may run, then or later.
func (h *Handler) Close() error {
	return errors.Join(h.scratch.close(), h.devNull.Close())
}

// StoreGrace is how long an item may go on after its lease's deadline while
// the store cannot be reached: Options.StoreGrace for a command that publishes
// through the store, 0 for one whose effects nothing could hold back.
func (h *Handler) StoreGrace() time.Duration {
	if h.o.Template.UsesOut() {
		return h.o.StoreGrace
	}
	return 0
}

// Handle runs the command of one item and publishes its output. What becomes
// of the item is in the error, as worker.Handler says. The result of an item
// with an output is the record of what was published, or Skipped.
func (h *Handler) Handle(ctx context.Context, a *worker.Attempt) error {
	if ctx.Err() != nil {
		return interrupted(ctx, "before its command ran")
	}
	p, err := payload.Decode(a.Item.Payload)
	if err != nil {
		return err
	}
	var previous []publish.File
	if p.Previous != nil {
		if err := json.Unmarshal(p.Previous, &previous); err != nil {
			return fmt.Errorf("what the item may replace: %w", err)
		}
	}
	if a.Committed != nil {
		done, committed, err := h.resume(a)
		if done || err != nil {
			return err
		}
		previous = append(previous, committed...)
	}
	if err := checkInput(ctx, p); err != nil {
		return err
	}
	final, err := h.finalPath(p)
	if err != nil {
		return err
	}
	if final != "" {
		return h.produce(ctx, a, p, final, previous)
	}
	_, err = h.run(ctx, a, template.Values{Payload: p, Slot: a.Slot})
	return err
}

// checkInput refuses an item whose input is not what it was when the item was
// made. No retry brings the old file back.
func checkInput(ctx context.Context, p payload.Payload) error {
	if p.Input == nil {
		return nil
	}
	err := identity.Check(ctx, *p.Input)
	if _, changed := errors.AsType[*identity.Changed](err); changed {
		return worker.Permanent(worker.Fail(queue.Failure{
			Cause:   queue.CauseInputChanged,
			Message: err.Error() + "; no retry mends that: enqueue the file as it is now",
		}))
	}
	if err != nil && ctx.Err() != nil {
		return interrupted(ctx, "before its command ran")
	}
	return err
}

// lookPath finds a program as a shell would.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	return "", &NotRunnable{Name: name, Err: err}
}
