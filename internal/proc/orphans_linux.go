package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// reapPause is the least time between two looks for dead orphans: a look reads
// the whole table of processes, and a zombie does no harm meanwhile.
const reapPause = 50 * time.Millisecond

// Orphans are the descendants of this process whose parents have died: the
// kernel gives them to this process, which must reap them.
//
// An orphan is known from a child by its process group, which is not this
// process's own, and by not having been started with Start.
type Orphans struct {
	shared bool // they may come from processes that are not ours
	stop   chan struct{}
	done   chan struct{}
}

// Adopt makes this process the parent of its orphaned descendants, for the
// rest of its life, and reaps those that die, until Close. One call a program
// is enough.
func Adopt() (*Orphans, error) {
	reap()
	children.Lock()
	inherited, err := orphans()
	children.Unlock()
	if err != nil {
		return nil, fmt.Errorf("proc: adopt: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("proc: adopt: set child subreaper: %w", err)
	}
	o := &Orphans{
		shared: len(inherited) > 0 || os.Getpid() == 1,
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
	}
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	go o.reapUntilClosed(died)
	return o, nil
}

// Close stops the reaping. Later orphans stay zombies until this process ends.
func (o *Orphans) Close() {
	close(o.stop)
	<-o.done
}

func (o *Orphans) reapUntilClosed(died chan os.Signal) {
	defer close(o.done)
	defer signal.Stop(died)
	for {
		reap()
		select {
		case <-time.After(reapPause):
		case <-o.stop:
			reap()
			return
		}
		select {
		case <-died:
		case <-o.stop:
			reap()
			return
		}
	}
}

// Kill kills the orphans, and theirs as they come, until two looks in a row
// find none: what remains of items although it shed its mark. It is for the
// time when no worker lives, since a living item may have orphans too. It
// returns how many it killed.
//
// It kills nothing when orphans may be those of others: when this process had
// children already as Adopt was called, by the program that it replaced, or is
// process 1 of a container, with which the others end anyway.
func (o *Orphans) Kill(ctx context.Context) (killed int, err error) {
	if o.shared {
		return 0, nil
	}
	seen := make(map[int]struct{})
	pause := minPause
	for clean := 0; ; {
		n, err := killOrphans(seen)
		if err != nil {
			return len(seen), fmt.Errorf("proc: orphans: %w", err)
		}
		clean++
		if n > 0 {
			clean = 0
		}
		if clean == cleanPasses {
			return len(seen), nil
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, maxPause)
		case <-ctx.Done():
			return len(seen), fmt.Errorf("proc: orphans: %d may remain: %w", n, ctx.Err())
		}
	}
}

// killOrphans returns how many it found alive. Being our children, unreaped
// while the lock is held, they keep their numbers.
func killOrphans(seen map[int]struct{}) (n int, err error) {
	children.Lock()
	defer children.Unlock()
	list, err := orphans()
	if err != nil {
		return 0, err
	}
	for pid, st := range list {
		if st.ended() {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return n, fmt.Errorf("kill %d: %w", pid, err)
		}
		seen[pid] = struct{}{}
		n++
	}
	return n, nil
}

// reap collects the dead orphans. It waits for each by number, never for any
// child at all, which could take a status that os/exec waits for.
func reap() {
	children.Lock()
	defer children.Unlock()
	list, err := orphans()
	if err != nil {
		return // no /proc for the moment: they wait for the next look
	}
	for pid, st := range list {
		if st.ended() {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}

// orphans lists the adopted children, dead ones too. The caller holds the lock
// of children for as long as it acts on the answer.
func orphans() (map[int]status, error) {
	list, err := pids()
	if err != nil {
		return nil, err
	}
	self, group := os.Getpid(), syscall.Getpgrp()
	found := make(map[int]status)
	for _, pid := range list {
		st, err := readStatus(pid)
		if err != nil || st.parent != self || st.group == group {
			continue
		}
		if _, ours := children.pids[pid]; !ours {
			found[pid] = st
		}
	}
	return found, nil
}
