// Package redistest starts real Redis servers for tests, each on a loopback
// port that nothing else uses and with data in the test's own folder. It stops
// them when the test ends and touches no server that it did not start.
package redistest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice.dev/internal/certtest"
)

// Server is a redis-server of this test.
type Server struct {
	Addr  string   // host:port
	Dir   string   // where its data is
	first []string // arguments before all others
	args  []string
	cmd   *exec.Cmd
	tls   *tls.Config    // nil without TLS
	certs certtest.Files // with TLS
}

// maker makes a server with options, which launch then starts.
type maker func(options ...string) *Server

func plain(t testing.TB) maker {
	return func(options ...string) *Server { return &Server{Dir: t.TempDir(), args: options} }
}

// Start starts a server with more options, such as "--appendonly", "yes". It
// fails the test when there is no redis-server in PATH: a suite that skips what
// it cannot find shows nothing.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	return plain(t)(options...).launch(t)
}

func (s *Server) launch(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is not in PATH: 'make test' installs it on Debian")
	}
	var err error
	for range 5 { // another process may take the port between the look and the start
		if s.Addr, err = freeAddr(); err == nil {
			if err = s.start(t.Context()); err == nil {
				t.Cleanup(s.Kill)
				return s
			}
		}
	}
	t.Fatalf("redis-server does not start: %v\n%s", err, s.log())
	return nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

func (s *Server) start(ctx context.Context) error {
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	listen := "--port"
	if s.tls != nil {
		listen = "--tls-port"
	}
	args := slices.Concat(s.first, []string{"--port", "0", listen, port, "--bind", "127.0.0.1", "--dir", s.Dir, "--save", "",
		"--logfile", filepath.Join(s.Dir, "log")}, s.args)
	s.cmd = exec.Command("redis-server", args...)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	client := s.client()
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := client.Ping(ctx).Err()
		if err == nil || strings.HasPrefix(err.Error(), "NOAUTH") || strings.HasPrefix(err.Error(), "MASTERDOWN") {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("it does not answer at %s: %w", s.Addr, err)
		}
	}
}

func (s *Server) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, TLSConfig: s.tls})
}

// URL is the server's address for a driver.
func (s *Server) URL() string { return s.url("", s.Addr) }

// url is the address of a kind of store that is found at these hosts.
func (s *Server) url(kind, hosts string) string {
	if s.tls != nil {
		return "rediss" + kind + "://" + hosts + "?" + s.certs.Params().Encode()
	}
	return "redis" + kind + "://" + hosts
}

// Kill ends the server as a crash would. Restart brings it back.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Restart starts the server again at the same address, on what it had written.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := s.start(t.Context()); err != nil {
		t.Fatalf("redis-server does not restart: %v\n%s", err, s.log())
	}
}

func (s *Server) log() string {
	b, err := os.ReadFile(filepath.Join(s.Dir, "log"))
	if errors.Is(err, os.ErrNotExist) {
		return "(no log)"
	}
	return string(b[max(0, len(b)-2000):])
}
