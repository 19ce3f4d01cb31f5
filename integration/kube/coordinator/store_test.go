package coordinator_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var onNATS = flag.Bool("nats", false, "let the store of each test be a nats-server instead of a redis-server")

// storeServer is the store of one test, whose data outlives its process.
type storeServer struct {
	*process
	address, url string
	command      func() *exec.Cmd
}

func startStore(t *testing.T) *storeServer {
	t.Helper()
	s, dir := &storeServer{address: freeAddress(t)}, t.TempDir()
	_, port, _ := net.SplitHostPort(s.address)
	if *onNATS {
		server := natsProgram(t)
		s.url = "nats://" + s.address
		s.command = func() *exec.Cmd {
			return exec.Command(server, "--jetstream", "--store_dir", dir, "--addr", "127.0.0.1", "--port", port)
		}
	} else {
		s.url = "redis://" + s.address + "/0"
		s.command = func() *exec.Cmd {
			return exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir,
				"--save", "", "--appendonly", "yes", "--appendfsync", "no", "--loglevel", "warning")
		}
	}
	s.run(t)
	return s
}

// run starts the server, again if it was killed.
func (s *storeServer) run(t *testing.T) {
	t.Helper()
	s.process = start(t, s.command())
	until(t, 10*time.Second, func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
		if err == nil {
			c.Close()
		}
		return err
	})
}

func natsPath() string { return filepath.Join(kube.Dir(), "bin", "nats-server") }

var buildNATS = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-C", "../../..", "-o", natsPath(), "github.com/nats-io/nats-server/v2")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build nats-server: %w: %s", err, out)
	}
	return nil
})

// natsProgram is the path of a nats-server, of the version that sluice's own module
// names.
func natsProgram(t *testing.T) string {
	t.Helper()
	if err := buildNATS(); err != nil {
		t.Fatal(err)
	}
	return natsPath()
}
