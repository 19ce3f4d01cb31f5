package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"sluice.dev/internal/proc"
)

// asFirst runs this program once more and returns as that does, if it is the
// first process of a container: what items leave behind becomes the child of
// that process, which must reap it, while a worker waits for its own children.
func asFirst() (first bool, err error) {
	if os.Getpid() != 1 {
		return false, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return true, fmt.Errorf("first process: %w", err)
	}
	orphans, err := proc.Adopt()
	if err != nil {
		return true, err
	}
	defer orphans.Close()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's signals come through here alone
	if err := proc.Start(cmd); err != nil {
		return true, fmt.Errorf("first process: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- proc.Wait(cmd) }()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s)
		case err := <-ended:
			return true, passedOn(err)
		}
	}
}

// passedOn is the exit code that a shell would give for the child's.
func passedOn(err error) error {
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return err
	}
	if w, ok := e.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return &exitError{code: 128 + int(w.Signal())}
	}
	return &exitError{code: e.ExitCode()}
}
