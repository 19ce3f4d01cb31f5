// Package natstest starts real nats-servers for tests, with JetStream on disk,
// each on loopback ports that nothing else uses and with data in the test's own
// folder. It stops them when the test ends and touches no server that it did
// not start.
package natstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ready bounds how long a server may take to start.
const ready = 30 * time.Second

// Server is a nats-server of this test.
type Server struct {
	Addr    string // host:port for clients
	Monitor string // host:port of its monitoring pages
	Dir     string // where its data is

	conf string
	how  process
}

// process runs a server until it is stopped.
type process interface {
	start(file string) error
	stop() // at once; a second time it does nothing
}

// Start starts a server inside the test's process. Lines of conf are in the
// language of nats-server's configuration and replace what they state again;
// $DIR is the server's folder:
//
//	natstest.Start(t, "jetstream { store_dir: $DIR, sync_interval: always }")
func Start(t testing.TB, conf ...string) *Server {
	t.Helper()
	return (&Server{Dir: t.TempDir(), how: &inside{}}).launch(t, conf)
}

// Launch is Start for a process of its own, which Kill ends as a crash would.
// TestMain must begin with Main.
func Launch(t testing.TB, conf ...string) *Server {
	t.Helper()
	return (&Server{Dir: t.TempDir(), how: &outside{}}).launch(t, conf)
}

// launch starts the server and waits until it is ready for clients.
func (s *Server) launch(t testing.TB, conf []string) *Server {
	t.Helper()
	t.Cleanup(s.Kill)
	var err error
	for range 5 { // another process may take a port between the look and the start
		s.Addr, s.Monitor = FreeAddr(t), FreeAddr(t)
		s.conf = strings.Join(append(s.basics(), conf...), "\n") + "\n"
		if err = s.start(t.Context()); err == nil {
			return s
		}
	}
	t.Fatalf("nats-server does not start: %v\n%s", err, s.Log())
	return nil
}

func (s *Server) basics() []string {
	return []string{
		fmt.Sprintf("DIR: %q", s.Dir),
		fmt.Sprintf("server_name: %q", "n"+s.Addr[strings.LastIndexByte(s.Addr, ':')+1:]),
		fmt.Sprintf("listen: %q", s.Addr),
		fmt.Sprintf("http: %q", s.Monitor),
		fmt.Sprintf("log_file: %q", filepath.Join(s.Dir, "log")),
		"jetstream { store_dir: $DIR }",
	}
}

func (s *Server) start(ctx context.Context) error {
	file := filepath.Join(s.Dir, "conf")
	if err := os.WriteFile(file, []byte(s.conf), 0o600); err != nil {
		return err
	}
	if err := s.how.start(file); err != nil {
		return err
	}
	if err := until(ctx, s.answers); err != nil {
		s.how.stop()
		return fmt.Errorf("it does not answer at %s: %w", s.Addr, err)
	}
	return nil
}

// answers tells whether clients may connect.
func (s *Server) answers(ctx context.Context) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// healthy tells whether the server says that all its streams are up to date.
func (s *Server) healthy(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Monitor+"/healthz", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return errors.New(reply.Status)
	}
	return nil
}

// URL is the server's address for a driver, without a login.
func (s *Server) URL() string { return "nats://" + s.Addr }

// Kill stops the server; one that was launched ends as by a crash. Restart
// brings it back.
func (s *Server) Kill() { s.how.stop() }

// Restart starts the server again at the same address, on what it had written,
// and returns when all its streams are up to date.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	err := s.start(t.Context())
	if err == nil {
		err = until(t.Context(), s.healthy)
	}
	if err != nil {
		t.Fatalf("nats-server does not restart: %v\n%s", err, s.Log())
	}
}

// Log is the end of what the server has logged.
func (s *Server) Log() string {
	b, err := os.ReadFile(filepath.Join(s.Dir, "log"))
	if err != nil {
		return "(no log)"
	}
	return string(b[max(0, len(b)-4000):])
}

// FreeAddr is a loopback address that nobody listens on.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// until repeats a question until its answer is nil, for as long as a server
// may take to start.
func until(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
