package peers_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startPostgres starts a server of a new cluster, with more arguments, on a
// loopback port that nothing else uses, and returns its address. It ends with the
// benchmark and leaves nothing behind. PostgreSQL refuses to run as root, so root
// starts it as the user that Debian has made for it.
func startPostgres(b *testing.B, args ...string) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "peers-postgres-") //nolint:usetesting // another user cannot enter b.TempDir
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	as := postgresUser(b, dir)

	initdb := exec.CommandContext(b.Context(), postgresProgram(b, "initdb"),
		"-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
	initdb.Dir, initdb.SysProcAttr = dir, as
	if out, err := initdb.CombinedOutput(); err != nil {
		b.Fatalf("initdb: %v\n%s", err, out)
	}
	port := freePort(b)
	server := exec.Command(postgresProgram(b, "postgres"), append([]string{
		"-D", filepath.Join(dir, "data"), "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
	}, args...)...)
	server.Dir, server.SysProcAttr = dir, as
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt) // it ends its clients' sessions and stops
		_ = server.Wait()
	})
	url := fmt.Sprintf("postgres://postgres@127.0.0.1:%s/postgres?sslmode=disable", port)
	if err := answers(b.Context(), url); err != nil {
		text, _ := os.ReadFile(log.Name())
		b.Fatalf("postgres does not answer: %v\n%s", err, text)
	}
	return url
}

// answers waits until a server does.
func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := pgx.Connect(ctx, url)
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// postgresUser is how root starts what refuses root; the folder becomes that
// user's. Anybody else starts it as themselves.
func postgresUser(b *testing.B, dir string) *syscall.SysProcAttr {
	b.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		b.Fatalf("%v: 'make bench-peers' installs PostgreSQL on Debian", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		b.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// postgresProgram finds what Debian keeps out of PATH.
func postgresProgram(b *testing.B, name string) string {
	b.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		b.Fatalf("%s is neither in PATH nor where Debian has it: 'make bench-peers' installs it there", name)
	}
	return found[len(found)-1]
}

func freePort(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	return port
}
