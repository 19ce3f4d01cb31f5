package command

import (
	"fmt"
	"syscall"
)

// group is a process group of its own and its leader, the command.
//
// It stands on the system calls alone: package os would cost a process
// descriptor an item, and reaps a process as it waits for it.
type group struct {
	pid    int // of the leader, and the group's id
	status syscall.WaitStatus
}

// startGroup starts path as the leader of a new process group. files are its
// stdin, stdout and stderr.
func startGroup(path string, argv, env []string, files [3]uintptr) (*group, error) {
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{Env: env, Files: files[:], Sys: groupAttr()})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return &group{pid: pid}, nil
}

// terminate asks every process of the group to end; one that is stopped is
// woken to hear it. Nobody may signal a group that is being reaped.
func (g *group) terminate() {
	g.signal(syscall.SIGTERM)
	g.signal(syscall.SIGCONT)
}

// kill ends every process of the group.
func (g *group) kill() { g.signal(syscall.SIGKILL) }

// signal reaches the whole group. There is nobody to tell of a failure: a
// group that is gone is what was wanted.
func (g *group) signal(s syscall.Signal) { _ = syscall.Kill(-g.pid, s) }

// wait waits for the leader and reaps it.
func (g *group) wait() error {
	for {
		_, err := syscall.Wait4(g.pid, &g.status, 0, nil)
		if err != syscall.EINTR {
			return err
		}
	}
}
