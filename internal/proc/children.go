package proc

import (
	"os/exec"
	"sync"
)

// children are the processes that Start has started and Wait has not seen end.
// A process has one set of children, so this is one set too. The lock is held
// from before a child exists until it is known: who reaps under the lock never
// takes the exit status of a child that someone waits for.
var children = struct {
	sync.Mutex
	pids map[int]struct{}
}{pids: make(map[int]struct{})}

// Start starts cmd as a child whose exit status belongs to Wait. In a program
// that has called Adopt, every child in a process group of its own must be
// started so; children in the program's own group are never touched and may be
// started as usual.
func Start(cmd *exec.Cmd) error {
	children.Lock()
	defer children.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	children.pids[cmd.Process.Pid] = struct{}{}
	return nil
}

// Wait is cmd.Wait for a child that Start has started.
func Wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	children.Lock()
	defer children.Unlock()
	delete(children.pids, cmd.Process.Pid)
	return err
}
