//go:build linux

package local

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice.dev/internal/proc"
)

// orders are the configuration of a worker in these tests.
type orders struct {
	Item  string // a shell script that it runs as an item
	Code  int    // it ends at once, with this exit code, if above 0
	Hangs bool   // it heeds neither the lifeline nor SIGTERM
	Leave string // it makes this file once the launcher is gone, after a moment
	Flood int    // it ends after it has written so many bytes of frames
	Herd  int    // it starts so many items, one at once after the other, each in a session of its own
}

// TestMain is also the program of workers, guards and launchers: its first
// argument says which.
func TestMain(m *testing.M) {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	switch role {
	case "worker":
		os.Exit(workerMain(os.Args[2]))
	case "guard":
		if err := GuardMain(slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	case "launcher":
		launcherMain(os.Args[2], os.Args[3])
	default:
		// A program under the race detector lingers for a second at its end.
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
		goleak.VerifyTestMain(m)
	}
}

func workerMain(id string) int {
	config, lifeline, frames, err := ChildConfig()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var o orders
	if err := json.Unmarshal(config, &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	gone := proc.WatchLifeline(lifeline)
	if o.Code > 0 {
		return o.Code
	}
	if o.Flood > 0 {
		if _, err := io.CopyN(frames, zeros{}, int64(o.Flood)); err != nil {
			return 3
		}
		return 0
	}
	for i := range o.Herd {
		item := exec.Command("sleep", "600")
		item.Env = append(os.Environ(), proc.MarkVar+"="+id)
		item.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := item.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 3
		}
		if i == 3 {
			fmt.Fprintln(frames, "up", id, os.Getpid())
		}
	}
	item := exec.Command("sh", "-c", o.Item)
	item.Env = append(os.Environ(), proc.MarkVar+"="+id)
	item.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := item.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	fmt.Fprintln(frames, "up", id, os.Getpid())
	if o.Hangs {
		select {}
	}
	var code int
	select {
	case <-gone:
		code = 1
	case <-term:
		code = 75
	}
	_ = syscall.Kill(-item.Process.Pid, syscall.SIGKILL)
	_ = item.Wait()
	if o.Leave != "" {
		<-time.After(100 * time.Millisecond) // as long as a store may take
		if err := os.WriteFile(o.Leave, nil, 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return code
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// launcherMain runs two workers and says of each on stdout when its item is
// up. It ends when it is killed, or cleanly at the end of its stdin.
func launcherMain(prefix, config string) {
	var out sync.Mutex
	l, err := New(Options{
		Prefix:    prefix,
		Args:      func(id string) []string { return []string{"worker", id} },
		GuardArgs: []string{"guard"},
		Slots:     []int{1, 1},
		Config:    func(string, int) []byte { return []byte(config) },
		Frames: func(_ string, r io.ReadCloser) {
			lines := bufio.NewScanner(r)
			for lines.Scan() {
				out.Lock()
				fmt.Println(lines.Text())
				out.Unlock()
			}
		},
	})
	if err == nil {
		_, err = l.Launch(context.Background(), 2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// unique is a prefix that no other test or process has. What it marks is
// killed at the end of the test.
func unique(t testing.TB) string {
	t.Helper()
	prefix := fmt.Sprintf("%s-%d-%d", strings.ReplaceAll(t.Name(), "/", "."), os.Getpid(), time.Now().UnixNano())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := proc.Sweep(ctx, prefix, false); err != nil {
			t.Error(err)
		}
	})
	return prefix
}

// fixture is a launcher in this process, and what it has told.
type fixture struct {
	*Launcher
	prefix string
	exits  chan Exit
	frames chan string // lines
}

// launcher makes a launcher whose workers have these orders.
func launcher(t testing.TB, slots []int, give func(id string) orders) *fixture {
	t.Helper()
	f := &fixture{prefix: unique(t), exits: make(chan Exit, 1000), frames: make(chan string, 1000)}
	l, err := New(Options{
		Prefix:    f.prefix,
		Args:      func(id string) []string { return []string{"worker", id} },
		GuardArgs: []string{"guard"},
		Slots:     slots,
		Config: func(id string, _ int) []byte {
			b, err := json.Marshal(give(id))
			if err != nil {
				t.Error(err)
			}
			return b
		},
		Frames: func(_ string, r io.ReadCloser) {
			lines := bufio.NewScanner(r)
			for lines.Scan() {
				f.frames <- lines.Text()
			}
		},
		OnExit: func(e Exit) { f.exits <- e },
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Launcher = l
	t.Cleanup(func() { f.close(t) })
	return f
}

func (f *fixture) close(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := f.Close(ctx); err != nil {
		t.Error(err)
	}
}

func (f *fixture) launch(t testing.TB, n int) {
	t.Helper()
	if got, err := f.Launch(t.Context(), n); got != n || err != nil {
		t.Fatalf("Launch(%d) = %d, %v", n, got, err)
	}
}

func (f *fixture) wait(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := f.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// up waits until n workers have started their items and returns the workers'
// processes by id.
func (f *fixture) up(t testing.TB, n int) map[string]int {
	t.Helper()
	pids := make(map[string]int)
	for range n {
		id, pid := parseUp(t, within(t, f.frames))
		pids[id] = pid
	}
	return pids
}

func parseUp(t testing.TB, line string) (id string, pid int) {
	t.Helper()
	if _, err := fmt.Sscanf(line, "up %s %d", &id, &pid); err != nil {
		t.Fatalf("frame %q: %v", line, err)
	}
	return id, pid
}

// within is the next value of c.
func within[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatal("closed")
		}
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came within 20s")
	}
	panic("not reached")
}

// count checks Active.
func (f *fixture) count(t testing.TB, want Count) {
	t.Helper()
	if got, err := f.Active(t.Context()); got != want || err != nil {
		t.Errorf("Active = %+v, %v; want %+v", got, err, want)
	}
}
