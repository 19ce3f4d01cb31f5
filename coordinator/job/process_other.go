//go:build !linux

package job

import (
	"os/exec"
	"syscall"

	"sluice.dev/internal/proc"
)

func groupAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitLeader returns when the process has ended, and has reaped it then. The
// group's number stays taken while any process of it lives; had none been left,
// it would take a whole round of numbers for it to be another group's.
func awaitLeader(cmd *exec.Cmd) { _ = proc.Wait(cmd) }
