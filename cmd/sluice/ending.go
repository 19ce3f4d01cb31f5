package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sluice.dev/internal/console"
	"sluice.dev/queue"
)

// patience is how long workers have to end their items and give back what they
// hold, before they are killed.
const patience = 2 * time.Second

// manner is what becomes of the items that run when a run ends. A later one is
// harder.
type manner uint8

const (
	finish      manner = iota // they take as long as they need
	withinGrace               // they have --grace
	atOnce                    // they are told to end, and killed soon after
	kill
)

// ending is why a run ends, and its exit code if that is not for the items to
// say.
type ending struct {
	code    int
	err     error
	manner  manner
	settled bool // the exit code does not depend on dead items
	over    bool // there was nothing left to do
}

// end ends the run, unless something else did before.
func (r *run) end(e ending) {
	select {
	case r.ended <- e:
	default:
	}
}

// await returns why the run ends.
func (r *run) await(ctx context.Context, signals <-chan os.Signal) ending {
	select {
	case <-ctx.Done():
		select {
		case e := <-r.ended: // came first
			return e
		default:
			return ending{code: exitInterrupted, manner: withinGrace}
		}
	case e := <-r.ended:
		return e
	case <-r.console.Broken(): // closing the console tells the error
		return ending{code: exitDead, manner: atOnce}
	case s := <-signals:
		r.say("%s: %d running items have %s to finish; once more stops them now", s, r.running(), short(r.flags.Grace))
		return ending{code: exitInterrupted, manner: withinGrace}
	}
}

// leave has the workers end their items in this manner, and waits for them. A
// signal makes it harder.
func (r *run) leave(how manner, signals <-chan os.Signal) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = r.launcher.Wait(context.Background())
	}()
	for waiting := true; waiting; {
		var late <-chan time.Time
		switch how {
		case finish:
			r.launcher.Finish()
		case withinGrace:
			r.launcher.Drain()
		case atOnce:
			r.launcher.Stop()
			late = time.After(patience)
		default:
			r.launcher.Kill()
		}
		select {
		case <-gone:
			waiting = false
		case <-signals:
			how = min(how+1, kill)
		case <-late:
			how = kill
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.launcher.Close(ctx); err != nil {
		r.say("%v", err)
	}
}

// result is what became of a run's items.
type result struct {
	ending
	summary console.Summary
}

// complete tells whether all of them are done.
func (res *result) complete() bool {
	s := res.summary
	return res.err == nil && res.code == 0 && s.Dead+s.DeadBefore+s.Left+s.Cancelled == 0
}

// exit is the exit code that the result stands for; err is of what came after
// the run.
func (res *result) exit(err error) error {
	e := res.ending
	if e.err == nil && err != nil {
		e = ending{code: max(e.code, exitDead), err: err}
	}
	switch s := res.summary; {
	case e.err != nil || e.code != 0:
		return &exitError{e.code, e.err}
	case s.Dead+s.DeadBefore+s.Cancelled > 0 && !e.settled, e.over && s.Left > 0:
		return &exitError{code: exitDead}
	}
	return nil
}

// conclude finds out what became of the items, and shows what waits for that.
// A result beside an error is one that may be shown.
func (r *run) conclude(e ending, began time.Time) (*result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	d, err := r.tally.Depth(ctx)
	if err != nil {
		return nil, &exitError{exitStore, err}
	}
	var dead []queue.Record
	if d.Dead > 0 {
		if dead, err = r.queue.Items(ctx, queue.Query{States: []queue.State{queue.Dead}}); err != nil {
			return nil, &exitError{exitStore, err}
		}
	}
	r.sweep(ctx, d, dead)
	ends, err := r.lineup.untold(ctx, r.queue, dead)
	for _, e := range ends {
		r.lineup.over(e)
		err = errors.Join(err, r.state.over(e))
	}
	before, failed := r.state.conclude(dead)
	err = errors.Join(err, failed, r.lineup.close())
	r.mu.Lock()
	defer r.mu.Unlock()
	// A run that ends in mid-call has items of which it was not told.
	items := max(r.report.Items, before.done+before.dead+d.Total())
	return &result{e, console.Summary{
		Lines: max(r.report.Lines, items+r.report.Duplicates), Items: items, Duplicates: r.report.Duplicates, Skipped: r.report.Skipped,
		DoneBefore: before.done, DeadBefore: before.dead,
		Done: d.Done, Dead: d.Dead, Cancelled: d.Cancelled, Left: d.Unfinished(), Elapsed: time.Since(began), Records: dead,
	}}, err
}

// say puts a line of the run's own among the output.
func (r *run) say(format string, args ...any) {
	prefix := "sluice: "
	if r.name != "" {
		prefix += r.name + ": "
	}
	_, _ = fmt.Fprintf(r.console, prefix+format+"\n", args...)
}
