package main

import (
	"errors"

	"sluice.dev/internal/console"
	"sluice.dev/queue"
)

// sink is where output and events of workers arrive: the console, with the
// lineup before it if there is one.
type sink struct {
	console.Sink
	run *run
}

// sink makes the lineup too.
func (r *run) sink() (console.Sink, error) {
	s := sink{r.console, r}
	if !r.flags.keepOrder && r.joblog == nil && r.state == nil {
		return s, nil
	}
	l := &lineup{items: make(map[string]*standing), command: r.command, log: r.joblog}
	if r.flags.keepOrder {
		var err error
		if l.order, err = console.NewOrder(r.console, ""); err != nil {
			return nil, err
		}
		s.Sink = l.order
	}
	r.lineup = l
	return s, nil
}

func (s sink) Item(h console.ItemHead) console.Group {
	g := s.Sink.Item(h)
	if l := s.run.lineup; l != nil && l.log != nil {
		return counted{g, l, h}
	}
	return g
}

// counted is a group whose bytes the joblog counts.
type counted struct {
	console.Group
	lineup *lineup
	head   console.ItemHead
}

func (c counted) Write(s console.Stream, p []byte) {
	if s == console.Stdout {
		c.lineup.received(c.head, len(p))
	}
	c.Group.Write(s, p)
}

func (s sink) Event(e console.Event) {
	r := s.run
	switch e.Type {
	case console.ItemSettled:
		r.crew.settled()
		if err := r.state.ended(e); err != nil {
			r.say("--state: %v", err)
		}
		if e.Verb == queue.Ack || e.Verb == queue.Bury || e.Verb == queue.Nack && e.Attempt > r.flags.backoffLimit {
			r.over(e)
			if r.flags.halt.what != "" {
				r.loop.Kick()
			}
		}
	case console.WorkerUnfit:
		r.end(ending{code: exitDead, err: errors.New(e.Text)})
	case console.WorkerSuspect:
		if reason := r.crew.doubts(e.Worker, e.Text); reason != "" {
			r.end(ending{code: exitDead, err: errors.New(reason), manner: withinGrace})
		}
		if e.Text == "" {
			return
		}
	}
	s.Sink.Event(e)
}
