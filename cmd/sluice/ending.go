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
}

// end ends the run, unless something else did before.
func (r *run) end(e ending) {
	select {
	case r.ended <- e:
	default:
	}
}

// await returns why the run ends.
func (r *run) await(signals <-chan os.Signal) ending {
	select {
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

// conclude ends the output, says what became of the items, and turns that into
// an exit code.
func (r *run) conclude(e ending, began time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	d, err := r.queue.Depth(ctx)
	if err != nil {
		return &exitError{exitStore, errors.Join(err, r.console.Close())}
	}
	var dead []queue.Record
	if d.Dead > 0 {
		if dead, err = r.queue.Items(ctx, queue.Query{States: []queue.State{queue.Dead}}); err != nil {
			return &exitError{exitStore, errors.Join(err, r.console.Close())}
		}
	}
	r.sweep(ctx, d, dead)
	before, err := r.state.conclude(ctx, r.queue, d, dead)
	err = errors.Join(err, r.lineup.close(ctx, r.queue, dead), r.console.Close())
	r.mu.Lock()
	report := r.report
	r.mu.Unlock()
	err = errors.Join(err, console.Summary{
		Lines: report.Lines, Items: report.Items, Duplicates: report.Duplicates, Skipped: report.Skipped,
		DoneBefore: before.done, DeadBefore: before.dead,
		Done: d.Done, Dead: d.Dead, Left: d.Unfinished(), Elapsed: time.Since(began), Records: dead,
	}.Print(os.Stderr))
	if e.err == nil && err != nil {
		e = ending{code: max(e.code, exitDead), err: err}
	}
	switch {
	case e.err != nil || e.code != 0:
		return &exitError{e.code, e.err}
	case d.Dead+before.dead > 0 && !e.settled:
		return &exitError{code: exitDead}
	}
	return nil
}

// say puts a line of the run's own among the output.
func (r *run) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.console, "sluice: "+format+"\n", args...)
}
