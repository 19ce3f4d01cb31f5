//go:build linux

package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sluice.dev/internal/proc"
	"sluice.dev/internal/proc/proctest"
)

const idle = "exec sleep 600"

func TestLaunchFillsFreePositions(t *testing.T) {
	f := launcher(t, []int{2, 3, 5}, func(string) orders { return orders{Item: idle} })
	f.count(t, Count{})
	f.launch(t, 2)
	f.count(t, Count{Live: 2, Slots: 5})
	if n, err := f.Launch(t.Context(), 5); n != 1 || err != nil {
		t.Errorf("Launch(5) with one position free = %d, %v; want 1, nil", n, err)
	}
	if n, err := f.Launch(t.Context(), 1); n != 0 || err != nil {
		t.Errorf("Launch(1) with none free = %d, %v; want 0, nil", n, err)
	}
	f.count(t, Count{Live: 3, Slots: 10})

	workers := f.up(t, 3)
	if err := syscall.Kill(workers[f.prefix+"-2"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if exit := within(t, f.exits); exit.ID != f.prefix+"-2" || exit.Slots != 3 {
		t.Errorf("exit = %#v, want worker 2 with 3 slots", exit)
	}
	f.count(t, Count{Live: 2, Slots: 7})
	f.launch(t, 1) // its position, not its id
	f.count(t, Count{Live: 3, Slots: 10})
	if _, ok := f.up(t, 1)[f.prefix+"-4"]; !ok {
		t.Error("the fourth worker is not number 4")
	}
}

func TestDrainAsksAndKillDoesNot(t *testing.T) {
	f := launcher(t, []int{1, 1, 1}, func(id string) orders {
		return orders{Item: idle, Hangs: strings.HasSuffix(id, "-3")}
	})
	f.launch(t, 3)
	f.up(t, 3)
	f.Drain()
	f.count(t, Count{})
	for range 2 {
		if exit := within(t, f.exits); exit.Code != 75 || exit.Signal != 0 || !exit.Asked || exit.Err != nil {
			t.Errorf("exit = %#v, want code 75, asked", exit)
		}
	}
	if n, err := f.Launch(t.Context(), 1); n != 0 || !errors.Is(err, ErrStopping) {
		t.Errorf("Launch after Drain = %d, %v; want ErrStopping", n, err)
	}
	f.Kill()
	exit := within(t, f.exits)
	if exit.Signal != syscall.SIGKILL || exit.Code != -1 || !exit.Asked || exit.Swept == 0 || exit.Err != nil {
		t.Errorf("exit = %#v, want killed, asked, its item swept", exit)
	}
	if got, want := exit.String(), "killed (signal 9)"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
	f.wait(t)
}

func TestExitCodesAreTheWorkersOwn(t *testing.T) {
	f := launcher(t, ones(4), func(id string) orders {
		var number int
		if _, err := fmt.Sscanf(id[strings.LastIndexByte(id, '-'):], "-%d", &number); err != nil {
			t.Error(err)
		}
		return orders{Code: number}
	})
	seen := make(map[string]bool)
	for range 10 {
		f.launch(t, 4)
		for range 4 {
			exit := within(t, f.exits)
			if want := fmt.Sprintf("%s-%d", f.prefix, exit.Code); exit.ID != want || exit.Asked || exit.Err != nil {
				t.Errorf("exit = %#v, want it from %s, not asked", exit, want)
			}
			if seen[exit.ID] {
				t.Errorf("%s ended twice", exit.ID)
			}
			seen[exit.ID] = true
		}
	}
}

func ones(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = 1
	}
	return s
}

func TestLaunchesLeakNoDescriptor(t *testing.T) {
	f := launcher(t, ones(10), func(string) orders { return orders{Code: 1} })
	round := func() {
		f.launch(t, 10)
		f.wait(t)
	}
	round()
	before := descriptors(t)
	for range 10 {
		round()
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors after 100 launches, %d before", after, before)
	}
}

// descriptors counts the pipes and process handles that this process has open.
// What it reads of /proc for a moment is not among them.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range list {
		to, _ := os.Readlink(fd) // it may be closed by now
		if strings.HasPrefix(to, "pipe:") || strings.HasPrefix(to, "anon_inode:") {
			n++
		}
	}
	return n
}

func TestFramesAreReadToTheEnd(t *testing.T) {
	const size = 3 << 20
	config := []byte(fmt.Sprintf(`{"Flood":%d%s}`, size, strings.Repeat(" ", 1<<20))) // more than a pipe holds
	var mu sync.Mutex
	got := int64(0)
	l, err := New(Options{
		Prefix:    unique(t),
		Args:      func(id string) []string { return []string{"worker", id} },
		GuardArgs: []string{"guard"},
		Slots:     []int{1, 1},
		Config:    func(string, int) []byte { return config },
		Frames: func(_ string, r io.ReadCloser) {
			n, err := io.Copy(io.Discard, r)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			got += n
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Launcher: l}
	t.Cleanup(func() { f.close(t) })
	f.launch(t, 2)
	f.wait(t)
	if got != 2*size {
		t.Errorf("read %d bytes of frames, want %d", got, 2*size)
	}
}

func TestSecretsAreInNoArgumentAndNoEnvironment(t *testing.T) {
	const secret = "hunter2"
	f := launcher(t, []int{1}, func(string) orders { return orders{Item: idle + " # " + secret} })
	f.launch(t, 1)
	pid := f.up(t, 1)[f.prefix+"-1"]
	for _, file := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s shows the configuration", file)
		}
	}
}

func TestWorkersHaveTheirOwnGroupAndItemsNoPipes(t *testing.T) {
	t.Setenv(proc.MarkVar, "an outer run's") // as when a run is an item
	f := launcher(t, []int{1}, func(string) orders { return orders{Item: idle} })
	f.launch(t, 1)
	id := f.prefix + "-1"
	pid := f.up(t, 1)[id]
	if group, err := syscall.Getpgid(pid); group != pid || err != nil {
		t.Errorf("the worker's group is %d (%v), want its own, %d", group, err, pid)
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(env, []byte(proc.MarkVar+"=")) {
		t.Error("the worker carries the mark of items")
	}
	item := proctest.AwaitSleeps(t, proc.MarkVar+"="+id, 1).PIDs()[0]
	for fd := 3; fd <= framesFD; fd++ {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", item, fd)); err == nil {
			t.Errorf("the item inherited descriptor %d, %s", fd, to)
		}
	}
	if left := proctest.Having(t, proc.ProcessVar+"="+id); len(left) != 1 {
		t.Errorf("%s is in processes %v, want the worker alone, %d", proc.ProcessVar, left, pid)
	}
}

func TestWorkerThatCannotStart(t *testing.T) {
	f := launcher(t, []int{1}, func(string) orders { return orders{Code: 9} })
	works := f.o.Executable
	f.o.Executable = "/does/not/exist"
	for range 3 { // no position and no descriptor is lost
		before := descriptors(t)
		if n, err := f.Launch(t.Context(), 1); n != 0 || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), f.prefix) {
			t.Fatalf("Launch = %d, %v; want os.ErrNotExist with the id", n, err)
		}
		if after := descriptors(t); after != before {
			t.Errorf("%d descriptors after a failed launch, %d before", after, before)
		}
	}
	f.o.Executable = works
	f.launch(t, 1)
	if exit := within(t, f.exits); exit.Code != 9 {
		t.Errorf("exit = %#v, want code 9", exit)
	}
}

func TestDeadGuardIsTold(t *testing.T) {
	told := make(chan string, 10)
	l, err := New(Options{
		Prefix:    unique(t),
		Args:      func(id string) []string { return []string{"worker", id} },
		GuardArgs: []string{"guard"},
		Slots:     []int{1},
		Logger:    slog.New(slog.NewTextHandler(lines(told), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.guard.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if line := within(t, told); !strings.Contains(line, "guard ended early") || !strings.Contains(line, "killed") {
		t.Errorf("told %q", line)
	}
	if err := l.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "guard") {
		t.Errorf("Close = %v, want the guard's end", err)
	}
}

// lines is a Writer that sends what is written.
type lines chan<- string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func TestByHand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		role, env, want string
	}{
		{"worker", "", "started by a launcher, not by hand: SLUICE_PROCESS is not set"},
		{"worker", proc.ProcessVar + "=by-hand", "started by a launcher, not by hand: proc: descriptor 3 (lifeline)"},
		{"guard", "", "started by a launcher, not by hand: SLUICE_GUARD is not set"},
		{"guard", guardVar + "=by-hand", "started by a launcher, not by hand: proc: descriptor 3 (lifeline)"},
	} {
		cmd := exec.Command(self, c.role, "by-hand")
		cmd.Env = append(os.Environ(), c.env)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), c.want) {
			t.Errorf("%s with %q: %v, %q; want exit code 2 and %q", c.role, c.env, err, out, c.want)
		}
	}
}

func TestOptionsNameWhatIsWrong(t *testing.T) {
	args := func(string) []string { return nil }
	guard := []string{"guard"}
	for _, c := range []struct {
		o    Options
		want []string
	}{
		{Options{Args: args, GuardArgs: guard, Slots: []int{1}}, []string{"Prefix", `""`, "1 to 200"}},
		{Options{Prefix: "a/b", Args: args, GuardArgs: guard, Slots: []int{1}}, []string{"Prefix", `"a/b"`, "'_'"}},
		{Options{Prefix: strings.Repeat("x", 201), Args: args, GuardArgs: guard, Slots: []int{1}}, []string{"Prefix", "1 to 200"}},
		{Options{Prefix: "r", GuardArgs: guard, Slots: []int{1}}, []string{"Args"}},
		{Options{Prefix: "r", Args: args, Slots: []int{1}}, []string{"GuardArgs"}},
		{Options{Prefix: "r", Args: args, GuardArgs: guard}, []string{"Slots is empty"}},
		{Options{Prefix: "r", Args: args, GuardArgs: guard, Slots: []int{1, 0}}, []string{"Slots[1]", "0", "1 slot or more"}},
	} {
		_, err := New(c.o)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v; want %q", c.o, err, want)
			}
		}
	}
}
