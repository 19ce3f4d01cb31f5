package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// initMain is what a container's first process does before it becomes the
// container's command. Why it cannot goes back to the node.
func initMain() int {
	spec, result := os.NewFile(3, "spec"), os.NewFile(4, "result")
	syscall.CloseOnExec(3)
	syscall.CloseOnExec(4)
	fmt.Fprint(result, become(spec))
	return 128
}

func become(from *os.File) error {
	// The container dies with the node, as with a machine. A node that died
	// before this has closed the other end of the pipe that is read next. It is
	// the thread that asks for this, and so the one that must become the command.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	var s launchSpec
	if err := json.NewDecoder(from).Decode(&s); err != nil {
		return fmt.Errorf("the node is gone: %w", err)
	}
	if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
		return fmt.Errorf("hostname %s: %w", s.Hostname, err)
	}
	if err := enter(s.Root, s.Mounts); err != nil {
		return err
	}
	if err := os.Chdir(s.Dir); err != nil {
		return err
	}
	os.Clearenv()
	for _, entry := range s.Env {
		for i := range entry {
			if entry[i] == '=' {
				if err := os.Setenv(entry[:i], entry[i+1:]); err != nil {
					return fmt.Errorf("env %s: %w", entry[:i], err)
				}
				break
			}
		}
	}
	path, err := exec.LookPath(s.Args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return err
	}
	err = unix.Exec(path, s.Args, os.Environ())
	return fmt.Errorf("exec %s: %w", path, err)
}
