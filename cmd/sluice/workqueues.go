package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"sluice.dev/internal/console"
	"sluice.dev/queue"
	"sluice.dev/worker"
	"sluice.dev/worker/command"
)

// share is a queue and its part of the slots.
type share struct {
	queue  string
	weight int
}

// maxWeight is worker.Group's.
const maxWeight = 100

// parseShares reads QUEUE or QUEUE=WEIGHT words.
func parseShares(words []string) ([]share, error) {
	var shares []share
	for _, w := range words {
		name, weight, weighted := strings.Cut(w, "=")
		s := share{queue: bare("queue", name), weight: 1}
		if weighted {
			n, err := strconv.Atoi(weight)
			if err != nil || n < 1 || n > maxWeight {
				return nil, fmt.Errorf("weight %q of queue %q: a whole number from 1 to %d is allowed", weight, name, maxWeight)
			}
			s.weight = n
		}
		if slices.ContainsFunc(shares, func(o share) bool { return o.queue == s.queue }) {
			return nil, fmt.Errorf("queue %q is named twice", s.queue)
		}
		shares = append(shares, s)
	}
	return shares, nil
}

// post is a worker at one queue.
type post struct {
	worker *worker.Worker
	leave  *leaver
}

func newPost(q *queue.Queue, id string, h *command.Handler, f *workFlags, c *console.Console, d *desk, log *slog.Logger) *post {
	leave := &leaver{q: q, id: id, idle: f.untilIdle}
	return &post{leave: leave, worker: worker.New(q, h, worker.Options{
		ID: id, Slots: f.concurrency, Lease: f.lease, Grace: f.Grace, Logger: log,
		Observer: worker.Observer{
			Started: func(queue.Lease, int) { leave.held.Add(1) },
			Settled: func(e worker.End) {
				if e.Slot > 0 {
					leave.held.Add(-1)
				}
				d.settled(e)
			},
			Suspect: func(reason string) {
				if reason != "" {
					c.Event(console.Event{Type: console.WorkerSuspect, Worker: id, Text: reason})
				}
			},
		},
	})}
}
