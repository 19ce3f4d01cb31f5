package main

import (
	"sync"
	"time"

	"sluice.dev/queue"
)

// times are when attempts began and how long they took, without what they
// waited for before. A nil one is not interested.
type times struct {
	mu   sync.Mutex
	runs map[uint64]lap // by token
}

type lap struct {
	began time.Time
	took  time.Duration
}

func newTimes(wanted bool) *times {
	if !wanted {
		return nil
	}
	return &times{runs: make(map[uint64]lap)}
}

// start begins an attempt; what it returns ends it.
func (t *times) start(l queue.Lease) (end func()) {
	if t == nil {
		return func() {}
	}
	began := time.Now()
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.runs[l.Token] = lap{began, time.Since(began)}
	}
}

// take is asked once for each attempt. One that never ran began now.
func (t *times) take(l queue.Lease) (began time.Time, took time.Duration) {
	if t == nil {
		return time.Time{}, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.runs[l.Token]
	if !ok {
		return time.Now(), 0
	}
	delete(t.runs, l.Token)
	return r.began, r.took
}
