//go:build linux

package proc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain is also the program that tests start: its first argument says as
// what.
func TestMain(m *testing.M) {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	switch role {
	case "follow": // ends with the lifeline
		f, err := InheritedPipe(3, "lifeline", false)
		if err != nil {
			fatal(err)
		}
		fmt.Println("following")
		<-WatchLifeline(f)
	case "sweep": // sweeps the mark that it carries itself
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		killed, err := Sweep(ctx, os.Args[2], true)
		fmt.Println(killed, err)
	default:
		// A program under the race detector lingers for a second at its end.
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
		goleak.VerifyTestMain(m)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// again is this program in another role.
func again(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// item starts a shell script as a worker's item would be started, in a process
// group of its own, with these additions to the environment.
func item(t *testing.T, script string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = Wait(cmd)
	})
	return cmd
}

// mark is a mark that no other test or process has.
func mark(t *testing.T) string {
	t.Helper()
	id := fmt.Sprintf("%s-%d-%d", t.Name(), os.Getpid(), time.Now().UnixNano())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := Sweep(ctx, id, false); err != nil {
			t.Error(err)
		}
	})
	return id
}
