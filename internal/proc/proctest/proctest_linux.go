package proctest

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Limit is how long something of a dead run may go on.
const Limit = 2 * time.Second

// Having lists the processes whose environment has an entry that begins with
// entry.
func Having(t testing.TB, entry string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(append([]byte{0}, env...), []byte("\x00"+entry)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, pid)
	}
	return found
}

// AwaitSleeps waits until n processes with entry have become the program
// sleep, which unlike a shell's helpers does not end by itself, and holds them.
func AwaitSleeps(t testing.TB, entry string, n int) *Watch {
	t.Helper()
	var found []int
	Eventually(t, 20*time.Second, func() bool {
		found = found[:0]
		for _, pid := range Having(t, entry) {
			name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
			if err == nil && string(name) == "sleep\n" {
				found = append(found, pid)
			}
		}
		return len(found) == n
	})
	return Hold(t, found...)
}

// Eventually waits for what no event tells, and fails the test after limit.
func Eventually(t testing.TB, limit time.Duration, ok func() bool) {
	t.Helper()
	look, end := time.NewTicker(5*time.Millisecond), time.After(limit)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("not so after %s", limit)
		}
	}
}

// A Watch holds processes by something that does not pass to another process
// with their numbers.
type Watch struct{ fds map[int]int }

// Hold begins to watch processes that are alive now. It kills them at the end
// of the test, so that one that fails leaves nothing either.
func Hold(t testing.TB, pids ...int) *Watch {
	t.Helper()
	w := &Watch{fds: make(map[int]int)}
	t.Cleanup(func() {
		for _, fd := range w.fds {
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			_ = unix.Close(fd)
		}
	})
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatalf("process %d: %v", pid, err)
		}
		w.fds[pid] = fd
	}
	return w
}

// Gone waits until all of them have ended, and fails the test for those that
// have not within limit.
func (w *Watch) Gone(t testing.TB, limit time.Duration) {
	t.Helper()
	end := time.Now().Add(limit)
	for pid, fd := range w.fds {
		for {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(fds, int(max(0, time.Until(end).Milliseconds())))
			if err == unix.EINTR {
				continue
			}
			if n == 0 || err != nil {
				cmdline, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
				t.Errorf("process %d (%q) lives after %s (%v)", pid, cmdline, limit, err)
			}
			break
		}
	}
}

// Alive fails the test for those that have ended.
func (w *Watch) Alive(t testing.TB) {
	t.Helper()
	for pid, fd := range w.fds {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 0); n != 0 || err != nil {
			t.Errorf("process %d has ended (%v), want it alive", pid, err)
		}
	}
}

// PIDs are the numbers of the processes.
func (w *Watch) PIDs() []int { return slices.Sorted(maps.Keys(w.fds)) }
