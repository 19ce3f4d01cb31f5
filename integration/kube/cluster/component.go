package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// component is a process of the cluster. It is in a group of its own, so that
// an interrupt typed at the terminal reaches the test alone, which then ends it;
// and its standard input is a pipe that this process holds and never writes
// into, so that it ends with this process.
type component struct {
	name     string
	log      string // a file
	cmd      *exec.Cmd
	lifeline io.Closer
	exited   chan struct{}
	err      error // valid once exited is closed
}

// start runs a command. What it needs to know first comes over its standard
// input, which stays open.
func start(dir, name string, cmd *exec.Cmd, hello []byte) (*component, error) {
	c := &component{name: name, log: filepath.Join(dir, name+".log"), cmd: cmd, exited: make(chan struct{})}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.lifeline = stdin
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		c.err = cmd.Wait()
		close(c.exited)
	}()
	if _, err := stdin.Write(hello); err != nil {
		c.kill()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, c.tail())
	}
	return c, nil
}

// kill ends the process as a crash would, and returns when it is gone.
func (c *component) kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
	_ = c.lifeline.Close()
}

// hangUp lets the process end by itself, for as long as grace.
func (c *component) hangUp(grace time.Duration) {
	_ = c.lifeline.Close()
	select {
	case <-c.exited:
	case <-time.After(grace):
		c.kill()
	}
}

// failure is why the process is not running.
func (c *component) failure() error {
	return fmt.Errorf("%s ended: %w\n%s", c.name, c.err, c.tail())
}

// tail is the end of the log.
func (c *component) tail() string {
	const most = 4000
	b, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}

// await waits until probe has no error, or the component ends.
func await(ctx context.Context, p *component, probe func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return p.failure()
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; last: %w\n%s", p.name, context.Cause(ctx), err, p.tail())
		}
	}
}

func (c *Cluster) component(name string) *component {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.components[name]
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
