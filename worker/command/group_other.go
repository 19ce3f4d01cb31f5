//go:build !linux

package command

import "syscall"

func groupAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// await returns when the leader has ended, and has reaped it then.
func (g *group) await() error { return g.wait() }

// reap kills what is left of the group. Its id stays taken while any process
// of it lives. Had none been left, the id may in theory be another group's by
// now; ids are given out in turn, so that takes a whole round of them between
// await and this.
func (g *group) reap() error {
	g.kill()
	return nil
}
