package command

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
	"sluice.dev/worker"
	"sluice.dev/worker/publish"
	"sluice.dev/worker/template"
)

// Skipped is the result of an item that did not run, since its output existed.
const Skipped = `{"skipped":"the output exists"}`

// finalPath is what the item publishes, "" if nothing.
func (h *Handler) finalPath(p payload.Payload) (string, error) {
	final := p.Output
	if final == "" && h.o.Output != nil {
		var err error
		if final, err = h.o.Output.Expand(p); err != nil {
			return "", unstartable(err)
		}
	}
	// An item and a command that do not fit are another worker's business or
	// a mistake of this one's: an attempt, and not the end of the item.
	switch uses := h.o.Template.UsesOut(); {
	case uses && final == "":
		return "", badOutput("the command has {out} or {outdir}, and the item has no output", "")
	case !uses && final != "":
		return "", badOutput(fmt.Sprintf("the item publishes %s, and the command has neither {out} nor {outdir}", final), "")
	}
	return final, nil
}

// produce runs the command of an item with an output and publishes that.
// previous are the files of an earlier record of the item.
func (h *Handler) produce(ctx context.Context, a *worker.Attempt, p payload.Payload, final string, previous []publish.File) error {
	stage := publish.NewStage(final, a.Item.ID, a.Token)
	stage.First = a.Attempt == 1 && !a.Again && a.Committed == nil
	keep := false
	defer func() {
		if !keep {
			h.unstage(a, stage)
		}
	}()
	switch skip, err := publish.Check(final, h.o.Existing, previous); {
	case err != nil:
		return existing(err)
	case skip:
		a.Result = []byte(Skipped)
		return nil
	}
	if err := stage.Create(); err != nil {
		return err
	}
	stderr, err := h.run(ctx, a, template.Values{Payload: p, Slot: a.Slot, Out: stage.Out(), OutDir: stage.Dir()})
	if err != nil {
		return err
	}
	if lost(ctx) {
		return context.Cause(ctx)
	}
	r, err := stage.Record(h.o.MinOutputBytes, h.o.Existing)
	if bad, ok := errors.AsType[*publish.BadOutput](err); ok {
		return badOutput(bad.Error(), stderr)
	}
	if err != nil {
		return err
	}
	r.Previous = previous
	record, err := r.Encode()
	if err != nil {
		return err
	}
	if keep, err = h.commit(ctx, a, record); err != nil {
		return err
	}
	keep, err = h.finish(a, r, record)
	return err
}

// commit decides in the store what the attempt publishes. What is finished
// should not be lost to a worker that leaves: it tries on for the grace then.
//
// A commit that failed otherwise than by a refusal may have happened. The
// staging has to be kept then: a later holder may want it, and if not removes
// it.
func (h *Handler) commit(ctx context.Context, a *worker.Attempt, record []byte) (keep bool, err error) {
	c, cancel := outlast(ctx, h.o.Grace)
	defer cancel()
	err = a.Commit(c, record)
	switch {
	case err == nil:
		return true, nil
	case c.Err() != nil || lost(ctx):
		return true, interrupted(ctx, "before its output was committed")
	}
	return !errors.Is(err, queue.ErrLeaseLost), fmt.Errorf("commit the output: %w", err)
}

// resume publishes what an earlier holder committed. It is not done, and the
// item has to run, if some of that is nowhere any more; previous is what was
// committed then.
func (h *Handler) resume(a *worker.Attempt) (done bool, previous []publish.File, err error) {
	r, err := publish.Decode(a.Committed)
	if err != nil {
		return false, nil, err
	}
	keep, err := h.finish(a, r, a.Committed)
	if _, gone := errors.AsType[*publish.Gone](err); gone {
		return false, r.Files, nil
	}
	if !keep {
		name := r.Files[len(r.Files)-1].Name
		h.unstage(a, publish.NewStage(filepath.Join(r.Dir, name), a.Item.ID, a.Token))
	}
	return err == nil, nil, err
}

// finish carries a committed record out on the file system. The staging has to
// be kept if another try may still need it.
func (h *Handler) finish(a *worker.Attempt, r publish.Record, record []byte) (keep bool, err error) {
	err = publish.Finish(r)
	if err == nil {
		a.Result = record
		return false, nil
	}
	if _, exists := errors.AsType[*publish.Exists](err); !exists {
		return true, err
	}
	if h.o.Existing == publish.ExistingSkip {
		a.Result = []byte(Skipped)
		return false, nil
	}
	return false, existing(err)
}

// unstage removes the staging of this attempt and of dead ones before it.
func (h *Handler) unstage(a *worker.Attempt, stage *publish.Stage) {
	if err := stage.Remove(); err != nil {
		h.o.Logger.Warn("an item's staging folder could not be removed", "item", a.Item.ID, "token", a.Token, "error", err)
	}
}

func badOutput(message, stderr string) error {
	return worker.Fail(queue.Failure{Cause: queue.CauseBadOutput, Message: message, Stderr: stderr})
}

// existing buries an item whose output is there already and not by sluice.
func existing(err error) error {
	if _, ok := errors.AsType[*publish.Exists](err); ok {
		return worker.Permanent(badOutput(err.Error(), ""))
	}
	return err
}

// outlast is ctx, but goes on for grace after its end unless the lease is lost.
func outlast(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	c, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if cancelled(ctx) != leaseLost {
			t := time.NewTimer(grace)
			defer t.Stop()
			select {
			case <-t.C:
			case <-c.Done():
			}
		}
		cancel(context.Cause(ctx))
	})
	return c, func() { stop(); cancel(nil) }
}
