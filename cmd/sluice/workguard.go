package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"sluice.dev/internal/proc"
)

// startGuard starts a process that outlives this one and, should this one be
// killed, kills what its items have started. stop ends it.
func startGuard(id string) (stop func(), err error) {
	if runtime.GOOS != "linux" { // where nothing can find those processes
		return func() {}, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	line, err := proc.NewLifeline()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, guardProcess)
	cmd.Env = append(proc.Unmarked(os.Environ()), "SLUICE_GUARD="+id)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{line.Reader()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of the terminal's signals
	if err := proc.Start(cmd); err != nil {              // a program that adopts orphans has to know its children
		_ = line.Close()
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	return func() {
		_ = line.Close()
		_ = proc.Wait(cmd)
	}, nil
}
