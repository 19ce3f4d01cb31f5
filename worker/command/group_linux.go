package command

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func groupAttr() *syscall.SysProcAttr {
	// Pdeathsig is a second net only: it fires when the thread that started
	// the process ends, and reaches the leader alone.
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// await returns when the leader has ended. It stays a zombie until reap, so
// that until then no other group can have its id.
func (g *group) await() error {
	for {
		err := unix.Waitid(unix.P_PID, g.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err
		}
	}
}

// reap kills what is left of the group, and then reaps the leader that await
// has seen end.
func (g *group) reap() error {
	g.kill()
	return g.wait()
}
