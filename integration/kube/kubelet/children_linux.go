package kubelet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// children are the processes that the first process has started, and those that
// nobody else waits for.
type children struct {
	logs    string // folder
	mu      sync.Mutex
	running map[string]*child // by name
}

type child struct {
	pid   int
	ended chan struct{}
}

// adopt begins to wait for all children of this process.
func adopt(logs string) *children {
	c := &children{logs: logs, running: make(map[string]*child)}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	go func() {
		for range ended {
			c.reap()
		}
	}()
	return c
}

// reap forgets all that have ended.
func (c *children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		for name, one := range c.running {
			if one.pid == pid {
				fmt.Fprintf(os.Stderr, "%s has ended: exit code %d, signal %d\n", name, status.ExitStatus(), status.Signal())
				delete(c.running, name)
				close(one.ended)
			}
		}
	}
}

// start starts a program that writes into a log of its name.
func (c *children) start(name string, line ...string) error {
	path, err := exec.LookPath(line[0])
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(c.logs, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer nothing.Close()
	c.mu.Lock() // it is not reaped before it is known
	defer c.mu.Unlock()
	if c.running[name] != nil {
		return fmt.Errorf("%s: it runs already", name)
	}
	p, err := os.StartProcess(path, line, &os.ProcAttr{Env: os.Environ(), Files: []*os.File{nothing, log, log}})
	if err != nil {
		return err
	}
	c.running[name] = &child{p.Pid, make(chan struct{})}
	return nil
}

// kill ends one as a crash does.
func (c *children) kill(name string) error {
	c.mu.Lock()
	one := c.running[name]
	if one == nil {
		c.mu.Unlock()
		return fmt.Errorf("%s: it does not run", name)
	}
	err := unix.Kill(one.pid, unix.SIGKILL) // not reaped, so still its id
	c.mu.Unlock()
	if err == nil {
		<-one.ended
	}
	return err
}

// killAll ends every process of the namespace but this one.
func (c *children) killAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		_ = unix.Kill(-1, unix.SIGKILL) // that of another namespace is out of reach: see seclude
		if _, err := unix.Wait4(-1, nil, 0, nil); errors.Is(err, unix.ECHILD) {
			return
		}
	}
}
