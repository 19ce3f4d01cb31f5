package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sluice.dev/internal/console"
	"sluice.dev/queue"
)

// joblog writes a line for each item that is over, in the columns of GNU
// parallel, about its last attempt. Several runs may have one. A nil one writes
// nothing.
type joblog struct {
	seq  atomic.Int64
	mu   sync.Mutex
	file *os.File
	err  error // the first
}

func newJoblog(path string) (*joblog, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fileError("--joblog", err)
	}
	l := &joblog{file: f}
	_, l.err = f.WriteString("Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n")
	return l, nil
}

// next is the number of the next item.
func (l *joblog) next() int64 {
	if l == nil {
		return 0
	}
	return l.seq.Add(1)
}

// add writes the line of an item, of which the event tells the last attempt.
func (l *joblog) add(seq, received int64, e console.Event) {
	if l == nil {
		return
	}
	code, signal := 0, 0
	switch killed := e.Cause == queue.CauseKilled || e.Cause == queue.CauseOOMKilled; {
	case e.Verb == queue.Ack:
	case killed && e.Exit > 128:
		signal = e.Exit - 128
	case e.Exit != 0:
		code = e.Exit
	default:
		code = -1 // it failed otherwise than by its exit code
	}
	command := bytes.Map(func(c rune) rune { // a line is a line
		if c == '\n' || c == '\r' {
			return ' '
		}
		return c
	}, e.Command)
	began := float64(e.Began.UnixNano()) / float64(time.Second)
	line := fmt.Sprintf("%d\t:\t%.3f\t%10.3f\t0\t%d\t%d\t%d\t%s\n", seq, began, e.Took.Seconds(), received, code, signal, command)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		_, l.err = l.file.WriteString(line)
	}
}

func (l *joblog) close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.file.Close(); l.err == nil {
		l.err = err
	}
	if l.err != nil {
		return fileError("--joblog", l.err)
	}
	return nil
}
