//go:build linux

package local

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice.dev/internal/proc"
	"sluice.dev/internal/proc/proctest"
)

// Items, and how many sleeps each is.
var hiding = []struct {
	name   string
	script string
	n      int
}{
	{"group", "sleep 600 & sleep 600", 2},
	{"session", "setsid sleep 600 & sleep 600", 2},
	{"orphans", "(setsid sh -c 'sleep 600 & sleep 600' &); (sleep 600 &); exec sleep 600", 4},
}

func TestNothingOutlivesAKilledWorker(t *testing.T) {
	for _, c := range hiding {
		t.Run(c.name, func(t *testing.T) {
			f := launcher(t, []int{1, 1}, func(string) orders { return orders{Item: c.script} })
			f.launch(t, 2)
			workers := f.up(t, 2)
			victim, other := f.prefix+"-1", f.prefix+"-2"
			items := proctest.AwaitSleeps(t, proc.MarkVar+"="+victim, c.n)
			spared := proctest.AwaitSleeps(t, proc.MarkVar+"="+other, c.n)

			if err := syscall.Kill(workers[victim], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			exit := within(t, f.exits)
			if exit.ID != victim || exit.Signal != syscall.SIGKILL || exit.Code != -1 || exit.Asked || exit.Swept == 0 || exit.Err != nil {
				t.Errorf("exit = %#v; want %s killed, not asked, some swept", exit, victim)
			}
			// OnExit is the proof: by then nothing can run any more.
			if left := proctest.Having(t, proc.MarkVar+"="+victim); len(left) > 0 {
				t.Errorf("left when OnExit was called: %v", left)
			}
			items.Gone(t, proctest.Limit)
			spared.Alive(t)
			f.close(t)
			spared.Gone(t, proctest.Limit)
		})
	}
}

func TestNothingOutlivesAWorkerKilledWhileItStartsItems(t *testing.T) {
	f := launcher(t, []int{1}, func(string) orders { return orders{Herd: 1000} })
	for range 5 {
		f.launch(t, 1)
		for id, pid := range f.up(t, 1) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if exit := within(t, f.exits); exit.ID != id || exit.Swept == 0 || exit.Err != nil {
				t.Errorf("exit = %#v; want %s, some swept", exit, id)
			}
			if left := proctest.Having(t, proc.MarkVar+"="+id); len(left) > 0 {
				t.Errorf("left when OnExit was called: %v", left)
			}
		}
	}
	f.wait(t)
}

// run is a launcher in a process of its own.
type run struct {
	cmd     *exec.Cmd
	prefix  string
	stdin   io.Closer
	workers []int // processes
}

// startRun returns when both workers' items are up.
func startRun(t *testing.T, o orders) *run {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{prefix: unique(t)}
	r.cmd = exec.Command(self, "launcher", r.prefix, string(config))
	r.cmd.Stderr = os.Stderr
	stdin, err := r.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stdin = stdin
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.cmd.Process.Kill(), r.cmd.Wait() })
	lines := bufio.NewReader(stdout)
	for range 2 {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		_, pid := parseUp(t, strings.TrimSpace(line))
		r.workers = append(r.workers, pid)
	}
	return r
}

// everything holds the run's processes but the launcher: the items' sleeps, n
// of each worker, the workers and the guard.
func (r *run) everything(t *testing.T, n int) *proctest.Watch {
	t.Helper()
	var pids []int
	for i := range r.workers {
		entry := fmt.Sprintf("%s=%s-%d", proc.MarkVar, r.prefix, i+1)
		pids = append(pids, proctest.AwaitSleeps(t, entry, n).PIDs()...)
	}
	pids = append(pids, r.workers...)
	return proctest.Hold(t, append(pids, r.guard(t))...)
}

// guard is the guard's process, once it ignores what it must.
func (r *run) guard(t *testing.T) int {
	t.Helper()
	var pid int
	proctest.Eventually(t, 20*time.Second, func() bool {
		guards := proctest.Having(t, guardVar+"="+r.prefix)
		if len(guards) != 1 {
			return false
		}
		pid = guards[0]
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), "\nSigIgn:\t")
		ignored, err := strconv.ParseUint(rest[:16], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return ignored&(1<<(syscall.SIGTERM-1)) != 0
	})
	return pid
}

func (r *run) left(t *testing.T) {
	t.Helper()
	for _, name := range []string{proc.MarkVar, proc.ProcessVar, guardVar} {
		if left := proctest.Having(t, name+"="+r.prefix); len(left) > 0 {
			t.Errorf("%s: left: %v", name, left)
		}
	}
}

func TestNothingOutlivesAKilledLauncher(t *testing.T) {
	for _, c := range hiding {
		t.Run(c.name, func(t *testing.T) {
			r := startRun(t, orders{Item: c.script})
			watch := r.everything(t, c.n)
			if err := r.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			watch.Gone(t, proctest.Limit)
			r.left(t)
		})
	}
}

func TestNothingOutlivesWorkersAndLauncherKilledAtOnce(t *testing.T) {
	for _, c := range hiding {
		t.Run(c.name, func(t *testing.T) {
			r := startRun(t, orders{Item: c.script})
			watch := r.everything(t, c.n)
			for _, pid := range append(r.workers, r.cmd.Process.Pid) {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			watch.Gone(t, proctest.Limit)
			r.left(t)
		})
	}
}

func TestGuardLetsWorkersLeave(t *testing.T) {
	file := filepath.Join(t.TempDir(), "left")
	r := startRun(t, orders{Item: idle, Leave: file})
	watch := r.everything(t, 1)
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	watch.Gone(t, proctest.Limit)
	if _, err := os.Stat(file); err != nil {
		t.Errorf("no worker had the time to give back what it held: %v", err)
	}
}

func TestGuardKillsAWorkerThatHangs(t *testing.T) {
	r := startRun(t, orders{Item: "sleep 600 & sleep 600", Hangs: true})
	watch := r.everything(t, 2)
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	watch.Gone(t, proctest.Limit)
	r.left(t)
}

func TestGuardHeedsNoSignalOfTheRunsGroup(t *testing.T) {
	r := startRun(t, orders{Item: "setsid sleep 600 & sleep 600"})
	watch := r.everything(t, 2)
	guard := r.guard(t)
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM} {
		if err := syscall.Kill(guard, sig); err != nil {
			t.Fatal(err)
		}
	}
	if group, err := syscall.Getpgid(guard); group != guard || err != nil {
		t.Errorf("the guard's group is %d (%v), want its own, %d", group, err, guard)
	}
	watch.Alive(t)
	for _, pid := range append(r.workers, r.cmd.Process.Pid) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	watch.Gone(t, proctest.Limit)
}

func TestCleanEndLeavesNothing(t *testing.T) {
	plain := "PLAIN" + fmt.Sprint(os.Getpid())
	// With a process that only its adoption by the launcher betrays.
	r := startRun(t, orders{Item: "(setsid env -i " + plain + "=1 sleep 600 &); setsid sleep 600 & sleep 600"})
	watch, lost := r.everything(t, 2), proctest.AwaitSleeps(t, plain, 2)
	if err := r.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("launcher: %v", err)
	}
	watch.Gone(t, proctest.Limit)
	lost.Gone(t, proctest.Limit)
	r.left(t)
}
