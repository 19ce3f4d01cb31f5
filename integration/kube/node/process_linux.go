package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is the first one of a container, in namespaces of its own: when it
// ends, the kernel kills all others of them. It begins as this program under
// another name, mounts what the container sees, and becomes the command.
type process struct {
	spec    *launchSpec
	sidecar bool
	cmd     *exec.Cmd
	config  *os.File // into which the spec is written
	result  *os.File // ends empty once the command runs, else says why not

	mu    sync.Mutex
	runs  bool // the command does
	asked bool // to end
}

func newProcess(spec *launchSpec, log *os.File, isSidecar bool) *process {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{initProcess}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS,
	}
	return &process{spec: spec, sidecar: isSidecar, cmd: cmd}
}

// start forks. The caller stays on its thread until wait has returned.
func (p *process) start() error {
	specRead, specWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = specRead.Close() }()
	resultRead, resultWrite, err := os.Pipe()
	if err != nil {
		return errors.Join(err, specWrite.Close())
	}
	defer func() { _ = resultWrite.Close() }()
	p.cmd.ExtraFiles = []*os.File{specRead, resultWrite} // 3 and 4
	if err := p.cmd.Start(); err != nil {
		return errors.Join(err, specWrite.Close(), resultRead.Close())
	}
	p.config, p.result = specWrite, resultRead
	return nil
}

// begin returns once the command runs, or cannot.
func (p *process) begin() error {
	defer func() { _ = p.result.Close() }()
	err := errors.Join(json.NewEncoder(p.config).Encode(p.spec), p.config.Close())
	if err != nil {
		return err
	}
	said, err := io.ReadAll(p.result)
	if err != nil {
		return err
	}
	if len(said) > 0 {
		return errors.New(string(said))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.runs = true
	if p.asked {
		p.signal(syscall.SIGTERM)
	}
	return nil
}

// askToEnd sends SIGTERM to the command, at the latest when it runs.
func (p *process) askToEnd() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.runs && !p.asked {
		p.signal(syscall.SIGTERM)
	}
	p.asked = true
}

// kill ends all processes of the container.
func (p *process) kill() { p.signal(syscall.SIGKILL) }

func (p *process) signal(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s) // it may have ended
}

// wait returns the exit code as a runtime gives it, when all is gone.
func (p *process) wait() int32 {
	_ = p.cmd.Wait() // its state says the same
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return 128 + int32(status.Signal())
	}
	return int32(p.cmd.ProcessState.ExitCode())
}

// canIsolate tells why containers cannot have namespaces and mounts here.
func canIsolate() error {
	dir, err := os.MkdirTemp("", "kube-probe-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := newProcess(&launchSpec{Root: dir, Dir: "/", Args: []string{"/bin/true"}}, os.Stderr, false)
	if err = p.start(); err == nil {
		err = p.begin()
		p.wait()
	}
	if err != nil {
		return fmt.Errorf("containers need namespaces and mounts, so root or CAP_SYS_ADMIN: %w", err)
	}
	return nil
}
