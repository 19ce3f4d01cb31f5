package job

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/internal/proc"
)

// Bounds for what should take milliseconds once a command has ended: finding
// what it left behind, and the end of its output.
const (
	sweepLimit  = 30 * time.Second
	outputLimit = 10 * time.Second
)

// process is the process group of a container.
type process struct {
	cmd *exec.Cmd

	mu   sync.Mutex
	over bool        // the leader has ended: no more signals
	kill *time.Timer // at the end of the grace
}

// mark is carried by all processes of a container.
func (r *Runner) mark(pod *corev1.Pod, c *corev1.Container) string {
	return fmt.Sprintf("%s/%s/%s", r.Mark, pod.Name, c.Name)
}

// command is what a container runs.
func (r *Runner) command(pod *corev1.Pod, c *corev1.Container) (*exec.Cmd, error) {
	argv, vars, err := Command(pod, c)
	if err != nil {
		return nil, err
	}
	if len(argv) == 0 {
		return nil, errors.New("the container has no command")
	}
	hostname := pod.Spec.Hostname
	if hostname == "" {
		hostname = pod.Name
	}
	env := environ(r.inherited(), hostname, vars)
	cmd := &exec.Cmd{
		Path: argv[0], Args: argv, Dir: c.WorkingDir,
		Env:         append(proc.Unmarked(env), proc.MarkVar+"="+r.mark(pod, c)),
		SysProcAttr: groupAttr(),
		WaitDelay:   outputLimit,
	}
	if !strings.Contains(argv[0], "/") {
		if cmd.Path, err = lookPath(argv[0], env); err != nil {
			return nil, err
		}
	}
	return cmd, nil
}

// lookPath finds a program in the PATH of the container's environment, which
// need not be this process's.
func lookPath(name string, env []string) (string, error) {
	path := ""
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			path = value
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue // it would depend on where this process runs
		}
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("exec: %q: executable file not found in PATH %q", name, path)
}

// terminate asks the group to end; one that is stopped is woken to hear it.
// After the grace it is killed.
func (c *process) terminate(grace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.kill != nil {
		return
	}
	c.signal(syscall.SIGTERM)
	c.signal(syscall.SIGCONT)
	c.kill = time.AfterFunc(grace, c.destroy)
}

// destroy kills the group.
func (c *process) destroy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.signal(syscall.SIGKILL)
	}
}

// signal reaches the whole group, which may be gone already. Its number is its
// own until the leader is reaped.
func (c *process) signal(s syscall.Signal) { _ = syscall.Kill(-c.cmd.Process.Pid, s) }

// wait waits for the end of the leader, kills what it leaves, in the group and
// outside, and returns the exit code: 128+n for signal n.
func (c *process) wait(mark string) int32 {
	awaitLeader(c.cmd)
	c.mu.Lock()
	c.over = true
	if c.kill != nil {
		c.kill.Stop()
	}
	c.signal(syscall.SIGKILL)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), sweepLimit)
	defer cancel()
	// What may remain after an error is the guard's to find: the command's
	// own end is known, and it is what is asked for.
	_, _ = proc.Sweep(ctx, mark, true)
	_ = proc.Wait(c.cmd)
	state := c.cmd.ProcessState
	if state == nil {
		return 255 // reaped by another; it cannot be told from a failure
	}
	if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int32(s.Signal())
	}
	return int32(state.ExitCode())
}
