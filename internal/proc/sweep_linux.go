package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	// cleanPasses is how many passes in a row must find nothing. One may miss
	// a process forked by one that it has yet to look at and that ends before
	// that; the next finds it.
	cleanPasses = 2
	// execPatience is how long a process whose environment looks as it does
	// in the midst of exec keeps a pass from being clean. A system that never
	// shows where an environment ends must not hold a sweep up for good.
	execPatience = 500 * time.Millisecond

	minPause, maxPause = time.Millisecond, 20 * time.Millisecond
)

// Sweep kills every process that carries the mark of the worker, or with
// exact false of every worker whose id begins with mark, and the process group
// of each: what the worker's items started, in whatever session or group, and
// the worker's own process. It returns when two passes in a row over the
// processes of the system found none, which takes a few milliseconds when
// there are none, and at the end of ctx.
//
// It never kills this process, its process group as a whole, or process 1, and
// no innocent that was given the number of a marked process. It returns how
// many marked processes it killed one by one, which leaves out those that died
// with another's group. An error means that some may remain.
func Sweep(ctx context.Context, mark string, exact bool) (killed int, err error) {
	if mark == "" {
		return 0, errors.New("proc: sweep: the mark is empty: a worker's id or the beginning of one is wanted")
	}
	s := sweep{
		marks: []pattern{{MarkVar + "=" + mark, exact}, {ProcessVar + "=" + mark, exact}},
		self:  os.Getpid(), group: syscall.Getpgrp(),
		began:  time.Now(),
		killed: make(map[int]struct{}),
	}
	pause := minPause
	for clean := 0; ; {
		left, err := s.pass()
		if err != nil {
			return len(s.killed), fmt.Errorf("proc: sweep of %q: %w", mark, err)
		}
		clean++
		if len(left) > 0 {
			clean = 0
		}
		if clean == cleanPasses {
			return len(s.killed), nil
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, maxPause)
		case <-ctx.Done():
			return len(s.killed), fmt.Errorf("proc: sweep of %q: processes %v may remain: %w", mark, left, ctx.Err())
		}
	}
}

// Workers counts the processes of workers whose id begins with prefix.
func Workers(prefix string) (int, error) {
	list, err := pids()
	if err != nil {
		return 0, fmt.Errorf("proc: workers: %w", err)
	}
	mark := pattern{ProcessVar + "=" + prefix, false}
	n := 0
	for _, pid := range list {
		if env, err := environ(pid); err == nil && mark.in(env) {
			n++
		}
	}
	return n, nil
}

// pattern is an entry of an environment, or the beginning of one.
type pattern struct {
	entry string
	exact bool
}

func (p pattern) in(env []byte) bool {
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if p.exact && string(entry) == p.entry || !p.exact && bytes.HasPrefix(entry, []byte(p.entry)) {
			return true
		}
	}
	return false
}

type sweep struct {
	marks       []pattern
	self, group int
	began       time.Time
	killed      map[int]struct{}
}

func (s *sweep) marked(env []byte) bool {
	return slices.ContainsFunc(s.marks, func(p pattern) bool { return p.in(env) })
}

// pass kills what it finds and returns what keeps it from being clean: the
// processes that it killed, and those that may turn out to carry the mark.
func (s *sweep) pass() (left []int, err error) {
	list, err := pids()
	if err != nil {
		return nil, err
	}
	for _, pid := range list {
		if pid <= 1 || pid == s.self {
			continue
		}
		env, err := environ(pid)
		if err != nil {
			continue // gone, or another user's
		}
		if s.marked(env) && s.kill(pid) || len(env) == 0 && s.inExec(pid) {
			left = append(left, pid)
		}
	}
	return left, nil
}

// kill kills a process and its group if it still carries the mark, and tells
// whether it did.
func (s *sweep) kill(pid int) bool {
	// From here on p is this one process (a pidfd) or a dead one: if the
	// number had passed to another before, the mark below is not there.
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	env, err := environ(pid)
	if err != nil || !s.marked(env) {
		return false
	}
	if st, err := readStatus(pid); err == nil && st.group > 1 && st.group != s.group {
		_ = syscall.Kill(-st.group, syscall.SIGKILL) // the process itself is below
	}
	_ = p.Kill() // one that cannot be killed is found again
	s.killed[pid] = struct{}{}
	return true
}

// inExec tells whether a process without an environment is about to get one.
// Its mark is invisible for the moment.
func (s *sweep) inExec(pid int) bool {
	if time.Since(s.began) > execPatience {
		return false
	}
	st, err := readStatus(pid)
	return err == nil && !st.ended() && st.memory && !st.env
}
