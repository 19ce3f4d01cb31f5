//go:build linux

package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice.dev/internal/proc/proctest"
)

func adopt(t *testing.T) *Orphans {
	t.Helper()
	o, err := Adopt()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func TestReapingStealsNoExitStatus(t *testing.T) {
	adopt(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 25 {
				code := (i*25 + j) % 120
				// Each leaves a few orphans, which die at once, beside its own status.
				cmd := exec.Command("sh", "-c", fmt.Sprintf("(sh -c : & sh -c : & setsid sh -c : &); exit %d", code))
				cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
				if err := Start(cmd); err != nil {
					t.Error(err)
					return
				}
				_ = Wait(cmd)
				if got := cmd.ProcessState.ExitCode(); got != code {
					t.Errorf("exit code %d, want %d", got, code)
				}
			}
		})
	}
	all.Wait()
	proctest.Eventually(t, 20*time.Second, func() bool { return len(lockedOrphans(t)) == 0 })
}

func lockedOrphans(t *testing.T) map[int]status {
	t.Helper()
	children.Lock()
	defer children.Unlock()
	list, err := orphans()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestReapLeavesDeadChildrenToThoseWhoWait(t *testing.T) {
	adopt(t)
	started := exec.Command("sh", "-c", "exit 7")
	started.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := Start(started); err != nil {
		t.Fatal(err)
	}
	usual := exec.Command("sh", "-c", "exit 8") // in this process's own group
	if err := usual.Start(); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{started, usual} {
		// Dead, and waited for by nobody yet.
		if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
	}
	reap()
	_, _ = Wait(started), usual.Wait()
	if a, b := started.ProcessState.ExitCode(), usual.ProcessState.ExitCode(); a != 7 || b != 8 {
		t.Errorf("exit codes %d and %d, want 7 and 8", a, b)
	}
}

func TestOrphansKillFindsThoseWithoutMark(t *testing.T) {
	o := adopt(t)
	id := mark(t)
	item(t, "(setsid env -i PLAIN="+id+" sh -c 'sleep 600 & sleep 600' &); exit 0")
	watch := proctest.AwaitSleeps(t, "PLAIN="+id, 2)
	mine := exec.Command("sleep", "600") // no orphan
	if err := mine.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = mine.Process.Kill(), mine.Wait() }()

	killed, err := o.Kill(t.Context())
	if killed < 2 || err != nil {
		t.Errorf("Kill = %d, %v; want 2 or more", killed, err)
	}
	watch.Gone(t, proctest.Limit)
	proctest.Hold(t, mine.Process.Pid).Alive(t)
}

func TestOrphansKillSparesOthers(t *testing.T) {
	// As after `set -m; sleep 600 & exec sluice ...`: a child that this
	// program did not start.
	cmd := exec.Command("sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	o := adopt(t)
	if killed, err := o.Kill(t.Context()); killed != 0 || err != nil {
		t.Errorf("Kill = %d, %v; want 0, nil", killed, err)
	}
	proctest.Hold(t, cmd.Process.Pid).Alive(t)
}

func TestStartOfNoProgram(t *testing.T) {
	err := Start(exec.Command("/does/not/exist"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Start = %v, want os.ErrNotExist", err)
	}
}
