//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sluice.dev/internal/proc/proctest"
)

// session is a run as a process of its own, in a folder of its own.
type session struct {
	*testing.T
	dir  string
	mark string // an entry of the environment of all its processes
	cmd  *exec.Cmd
	said buffer
	end  chan struct{}
	code int
}

// start runs sluice with these arguments. Its processes are killed with the
// test.
func start(t *testing.T, dir string, args ...string) *session {
	t.Helper()
	s := &session{T: t, dir: dir, end: make(chan struct{})}
	s.mark = fmt.Sprintf("SLUICE_TEST=%d-%s", os.Getpid(), t.Name())
	s.cmd = exec.Command("sluice", args...)
	s.cmd.Dir, s.cmd.Stderr = dir, &s.said
	s.cmd.Env = append(os.Environ(), s.mark)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.end)
		err := s.cmd.Wait()
		if e, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			t.Error(err)
		} else if ok {
			s.code = e.ExitCode()
		}
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.end
		for _, pid := range proctest.Having(t, s.mark) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if t.Failed() {
			t.Logf("stderr:\n%s", s.said.String())
		}
	})
	return s
}

// signal sends the run a signal.
func (s *session) signal(sig syscall.Signal) {
	s.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.Fatal(err)
	}
}

// ended waits for the end of the run, and fails the test for another exit code
// or for any process that is left.
func (s *session) ended(limit time.Duration, code int) {
	s.Helper()
	select {
	case <-s.end:
	case <-time.After(limit):
		s.Fatalf("runs after %s", limit)
	}
	if s.code != code {
		s.Errorf("exit code %d, want %d", s.code, code)
	}
	if left := proctest.Having(s, s.mark); len(left) > 0 {
		s.Errorf("processes are left: %v", left)
	}
}

// says waits for a text on stderr.
func (s *session) says(text string) {
	s.Helper()
	proctest.Eventually(s, 20*time.Second, func() bool { return strings.Contains(s.said.String(), text) })
}

// workers are the worker processes of the run.
func (s *session) workers() []int {
	s.Helper()
	return slices.DeleteFunc(proctest.Having(s, s.mark), func(pid int) bool {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		return err != nil || !bytes.HasSuffix(line, []byte("\x00"+workerProcess+"\x00"))
	})
}

// staging lists the folders in which outputs were written.
func (s *session) staging() []string {
	s.Helper()
	left, err := filepath.Glob(filepath.Join(s.dir, "out", ".sluice*"))
	if err != nil {
		s.Fatal(err)
	}
	return left
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// compressed fills dir/in with files f00.gz and so on, of which the one called
// corrupt is cut off, and returns the digests of what is in the others.
func compressed(t *testing.T, dir string, files int, corrupt string) map[string][32]byte {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{})
	sums := make(map[string][32]byte)
	for i := range files {
		name := fmt.Sprintf("f%02d", i)
		plain := make([]byte, 10_000+i)
		_, _ = random.Read(plain)
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if name == corrupt {
			b.Truncate(b.Len() / 2)
		} else {
			sums[name] = sha256.Sum256(plain)
		}
		if err := os.WriteFile(filepath.Join(dir, "in", name+".gz"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return sums
}

func TestAKilledWorkerAndABadFileCostNothingElse(t *testing.T) {
	dir := t.TempDir()
	sums := compressed(t, dir, 60, "f17")
	// The first attempt at f30 kills its worker and would go on for long.
	const script = `echo "$1 $SLUICE_ATTEMPT" >>log
if [ "$1 $SLUICE_ATTEMPT" = "f30 1" ]; then head -c 5000 /dev/zero >"$3"; kill -9 $PPID; sleep 600; fi
gzip -dc "$2" >"$3"`
	s := start(t, dir, "run", "-j", "3", "--backoff-limit", "2", "--retry-delay", "50ms", "--joblog", "joblog",
		"--glob", "in/*.gz", "--output", "out/{/.}", "--", "sh", "-c", script, "sh", "{/.}", "{}", "{out}")
	s.ended(time.Minute, exitDead)

	if !strings.Contains(s.said.String(), "59 done, 1 dead") {
		t.Error("the summary does not say what became of the items")
	}
	for name, want := range sums {
		got, err := os.ReadFile(filepath.Join(dir, "out", name))
		if err != nil || sha256.Sum256(got) != want {
			t.Errorf("%s is not what it should be: %d bytes (%v)", name, len(got), err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "f17")); err == nil {
		t.Error("the output of the bad file was published")
	}
	if left := s.staging(); len(left) > 0 {
		t.Errorf("staging is left: %v", left)
	}

	attempts := make(map[string]int)
	for _, line := range lines(t, dir, "log") {
		attempts[strings.Fields(line)[0]]++
	}
	for name := range sums {
		want := 1
		if name == "f30" {
			want = 2
		}
		if attempts[name] != want {
			t.Errorf("%s ran %d times, want %d", name, attempts[name], want)
		}
	}
	if attempts["f17"] != 3 {
		t.Errorf("the bad file was tried %d times, want 3", attempts["f17"])
	}
	codes := make(map[string]int)
	for _, line := range lines(t, dir, "joblog")[1:] {
		codes[strings.Split(line, "\t")[6]]++
	}
	if codes["0"] != 59 || codes["1"] != 1 || len(codes) != 2 {
		t.Errorf("the joblog has exit codes %v", codes)
	}
}

// A worker may die between the end of an item and the word of it, while another
// of its items kills it: what it ended is shown, logged and recorded all the same.
func TestWhatKilledWorkersDidNotTellIsKnown(t *testing.T) {
	const n = 400
	dir := t.TempDir()
	args := []string{
		"run", "-j", "16", "--retry-delay", "20ms", "--state", "state", "--joblog", "joblog", "--keep-order", "--arg", "i=" + numbers(n), "--",
		"sh", "-c", `if [ $(($1 % 40)) = 7 ] && [ $SLUICE_ATTEMPT = 1 ]; then kill -9 $PPID; sleep 600; fi; echo $1`, "sh", "{i}",
	}
	start(t, dir, args...).ended(2*time.Minute, exitDone)
	seen := make(map[string]bool)
	for _, line := range lines(t, dir, "joblog")[1:] {
		seq, _, _ := strings.Cut(line, "\t")
		if seen[seq] {
			t.Errorf("the joblog has item %s twice", seq)
		}
		seen[seq] = true
	}
	if len(seen) != n {
		t.Errorf("the joblog has %d items, want %d", len(seen), n)
	}
	s := start(t, dir, args...)
	s.ended(time.Minute, exitDone)
	s.says(fmt.Sprintf("%d items, %d done before", n, n))
}

// numbers are those from 1 to n, as values of an argument.
func numbers(n int) string {
	var list []string
	for i := range n {
		list = append(list, strconv.Itoa(i+1))
	}
	return strings.Join(list, ",")
}

func lines(t *testing.T, dir, name string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func TestNothingOutlivesAKilledRun(t *testing.T) {
	s := start(t, t.TempDir(), "run", "-j", "2", "--", "sh", "-c", "sleep 600 & setsid sleep 600 & sleep 600", "sh", ":::", "a", "b")
	sleeps := proctest.AwaitSleeps(t, s.mark, 6)
	all := proctest.Hold(t, proctest.Having(t, s.mark)...)
	if err := syscall.Kill(s.workers()[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGKILL)
	sleeps.Gone(t, proctest.Limit)
	all.Gone(t, proctest.Limit)
	s.ended(proctest.Limit, -1)
}

func TestItemsMayFinishAfterOneInterrupt(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "run", "-j", "1", "--output", "out/{}", "--", "sh", "-c",
		`echo "$1" >>began; until test -e go; do sleep 0.02; done; echo whole >"$2"`, "sh", "{}", "{out}", ":::", "a", "b")
	proctest.Eventually(t, 20*time.Second, func() bool { _, err := os.Stat(filepath.Join(dir, "began")); return err == nil })
	s.signal(syscall.SIGINT)
	s.says("once more stops them now")
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.ended(20*time.Second, exitInterrupted)
	if !strings.Contains(s.said.String(), "1 done, 0 dead, 1 left") || len(lines(t, dir, "began")) != 1 {
		t.Error("one item should have finished, and the other not have begun")
	}
	if out := lines(t, dir, "out/a"); out[0] != "whole" {
		t.Errorf("the output is %q", out)
	}
	if left := s.staging(); len(left) > 0 {
		t.Errorf("staging is left: %v", left)
	}
}

func TestTheGraceEndsWhatAnInterruptLeavesRunning(t *testing.T) {
	s := start(t, t.TempDir(), "run", "-j", "1", "--grace", "100ms", "--", "sleep", ":::", "600", "601")
	proctest.AwaitSleeps(t, s.mark, 1)
	s.signal(syscall.SIGTERM)
	s.ended(20*time.Second, exitInterrupted)
	if !strings.Contains(s.said.String(), "0 done, 0 dead, 2 left") {
		t.Error("an interrupt is no failure of an item")
	}
}

func TestASecondInterruptStopsItems(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "run", "-j", "2", "--grace", "1h", "--output", "out/{}", "--", "sh", "-c",
		`trap "" TERM; echo part >"$1"; while :; do sleep 600; done`, "sh", "{out}", ":::", "a", "b", "c")
	proctest.AwaitSleeps(t, s.mark, 2)
	s.signal(syscall.SIGINT)
	s.says("once more stops them now")
	s.signal(syscall.SIGINT)
	s.ended(10*time.Second, exitInterrupted)
	if !strings.Contains(s.said.String(), "0 done, 0 dead, 3 left") {
		t.Error("all items should be left")
	}
	if left, err := os.ReadDir(filepath.Join(dir, "out")); err != nil || len(left) > 0 {
		t.Errorf("left in out: %v (%v)", left, err)
	}
}
