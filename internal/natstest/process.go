package natstest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// confVar names the configuration for a process that is to be a server.
const confVar = "SLUICE_NATSTEST_CONF"

// Main makes this process the server that a test launched it for, and tells at
// the end that it was one; false at once if it is none. A TestMain that lets
// tests call Launch or StartCluster begins with it and returns if it was.
func Main() bool {
	file := os.Getenv(confVar)
	if file == "" {
		return false
	}
	if err := serve(file); err != nil {
		fmt.Fprintln(os.Stderr, err) // the test notices that nobody answers
	}
	return true
}

// serve runs a server until the test's end of stdin is closed, which its death
// does too.
func serve(file string) error {
	s, err := newServer(file)
	if err != nil {
		return err
	}
	s.Start()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func newServer(file string) (*server.Server, error) {
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		return nil, err
	}
	o.NoSigs = true
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	s.ConfigureLogger()
	return s, nil
}

// inside is a server in the test's own process.
type inside struct{ s *server.Server }

func (p *inside) start(file string) error {
	s, err := newServer(file)
	if err != nil {
		return err
	}
	p.s = s
	s.Start()
	if !s.ReadyForConnections(ready) {
		p.stop()
		return errors.New("it is not ready for connections")
	}
	return nil
}

func (p *inside) stop() {
	if p.s != nil {
		p.s.Shutdown()
		p.s.WaitForShutdown()
		p.s = nil
	}
}

// outside is a server in a process of its own: this test's program again.
type outside struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

func (p *outside) start(file string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	p.cmd = exec.Command(program)
	p.cmd.Env = append(os.Environ(), confVar+"="+file)
	p.cmd.Stderr = os.Stderr
	p.cmd.WaitDelay = time.Second
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	return p.cmd.Start()
}

func (p *outside) stop() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		_ = p.stdin.Close()
	}
	p.cmd = nil
}
