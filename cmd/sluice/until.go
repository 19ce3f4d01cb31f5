package main

import (
	"context"
	"sync/atomic"
	"time"

	"sluice.dev/queue"
)

const (
	// lookEvery bounds how often a worker that may leave reads the queue, and
	// lookLate how long it goes without.
	lookEvery = 200 * time.Millisecond
	lookLate  = time.Second
	// ever is longer than any delay.
	ever = 100 * 365 * day
)

// leaver finds out when a worker may leave: when the queue is empty, or with
// idle when there was nothing to claim for so long.
type leaver struct {
	q    *queue.Queue
	id   string
	idle time.Duration // 0: when the queue is empty

	held    atomic.Int64 // items that run
	granted atomic.Bool
	since   time.Time // nothing was to be claimed; zero if something was
}

// watch calls leave once the worker may, unless it is stopped first.
func (l *leaver) watch(ctx context.Context, leave func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		pause := time.NewTicker(lookEvery)
		defer pause.Stop()
		for ctx.Err() == nil {
			// A store that does not answer is the worker's to complain of.
			if ok, err := l.may(ctx); err == nil && ok {
				l.granted.Store(true)
				leave()
				return
			}
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
			_ = l.q.Watch(ctx, l.patience())
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// patience is how long a look may wait for a change.
func (l *leaver) patience() time.Duration {
	if l.idle > 0 {
		return min(l.idle, lookLate)
	}
	return lookLate
}

// may asks the store for leave, which it grants in one step with its own look,
// so that no item comes between.
func (l *leaver) may(ctx context.Context) (bool, error) {
	d, err := l.q.Depth(ctx)
	if err != nil {
		return false, err
	}
	within := ever
	if l.idle > 0 {
		if l.held.Load() > 0 || d.Claimable() > 0 {
			l.since = time.Time{}
			return false, nil
		}
		if l.since.IsZero() {
			l.since = time.Now()
		}
		if time.Since(l.since) < l.idle {
			return false, nil
		}
		within = 0
	} else if empty, err := l.empty(ctx, d); err != nil || !empty {
		return false, err
	}
	return l.q.Leave(ctx, l.id, within)
}

// empty tells whether nothing is left that may still be worked on. A paused
// queue and a suspended batch are not empty: their items are ready and held.
func (l *leaver) empty(ctx context.Context, d queue.Depth) (bool, error) {
	if d.Unfinished() == 0 {
		return true, nil
	}
	if d.Unfinished() > d.Blocked {
		return false, nil
	}
	batches, err := l.q.Batches(ctx)
	if err != nil {
		return false, err
	}
	return stuck(batches), nil
}

// stuck tells whether every blocked item waits for a batch that will not be
// Complete unless a person sees to it.
func stuck(batches []queue.BatchInfo) bool {
	named := make(map[string]queue.BatchInfo, len(batches))
	for _, b := range batches {
		named[b.Name] = b
	}
	for _, b := range batches {
		if b.Depth.Blocked > 0 && finishes(named, b.After) {
			return false
		}
	}
	return true
}

// finishes tells whether a batch may still be Complete. Batches wait for older
// ones, so that this ends.
func finishes(named map[string]queue.BatchInfo, name string) bool {
	b, ok := named[name]
	switch {
	case !ok || b.Cancelled || b.Depth.Dead+b.Depth.Cancelled > 0:
		return false
	case b.Depth.Blocked > 0:
		return finishes(named, b.After)
	}
	return true
}
