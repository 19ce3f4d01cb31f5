package coordinator_test

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a program that ends with the test.
type process struct {
	*exec.Cmd
	exited chan struct{}
}

// start starts a program. Should the test be killed, the kernel ends the program
// with the thread that started it, which is kept until then.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &process{Cmd: cmd, exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its state says the same
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// kill ends it as a crash would, and returns when it is gone.
func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.exited
}

// signal sends it a signal, such as SIGSTOP, after which it is there and does
// nothing.
func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// code waits for its end, and returns its exit code.
func (p *process) code(t *testing.T) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(soon):
		t.Fatalf("%s has not ended", p.Cmd)
	}
	return p.ProcessState.ExitCode()
}

// freeAddress is one of loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// replica is a coordinator.
type replica struct {
	*process
	file string // its log
}

// coordinate starts a coordinator of the place, and returns how to kill it.
func (p *place) coordinate(flags ...string) (kill func()) {
	p.Helper()
	return p.replica(config, flags...).kill
}

// replica starts a coordinator of the place that is the user of a kubeconfig.
func (p *place) replica(kubeconfig string, flags ...string) *replica {
	p.Helper()
	log, err := os.CreateTemp(p.TempDir(), "log")
	if err != nil {
		p.Fatal(err)
	}
	args := append([]string{"coordinate", "--kubeconfig", kubeconfig, "--namespace", p.namespace, "--image", image, "--idle", "3s"}, flags...)
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stderr = log
	r := &replica{process: start(p.T, cmd), file: log.Name()}
	log.Close()
	p.replicas = append(p.replicas, r)
	p.Cleanup(func() {
		if p.Failed() {
			p.Logf("coordinator %s:\n%s", strings.Join(flags, " "), r.log())
		}
	})
	return r
}

// log is what it has said.
func (r *replica) log() string {
	text, err := os.ReadFile(r.file)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
