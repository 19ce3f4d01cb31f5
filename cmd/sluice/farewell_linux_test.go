package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice.dev/internal/natstest"
	"sluice.dev/internal/proc/proctest"
	"sluice.dev/internal/redistest"
)

// said is what sluice prints when it runs to its end.
func said(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sluice", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sluice %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// endingOfWork is how a worker is told to end.
type endingOfWork struct {
	how     string
	signals []syscall.Signal
	command string
}

// A worker that is told to end has left all of its queues as soon as it has ended,
// whether its item finishes or is given back.
func TestAWorkerThatEndsHasLeft(t *testing.T) {
	t.Setenv("GORACE", "atexit_sleep_ms=0") // a second at each exit of a race-built program
	for name, start := range map[string]func() string{
		"redis": func() string { return redistest.Start(t).URL() },
		"nats":  func() string { return natstest.Start(t, "jetstream { store_dir: $DIR }").URL() },
	} {
		t.Setenv("SLUICE_STORE", start())
		for _, end := range []endingOfWork{
			{"drained", []syscall.Signal{syscall.SIGTERM}, `echo >begun; until test -e go; do sleep 0.05; done`},
			{"stopped", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}, `echo >begun; exec sleep 600`},
		} {
			t.Run(name+" "+end.how, func(t *testing.T) { end.leaves(t) })
		}
	}
}

func (e endingOfWork) leaves(t *testing.T) {
	queues := []string{e.how + "-one", e.how + "-two"}
	for _, q := range queues {
		said(t, "a\nb\nc\n", "enqueue", q)
	}
	dir := t.TempDir()
	s := start(t, dir, "work", queues[0], queues[1], "--concurrency", "1", "--shell", "--", e.command+"; : {}")
	proctest.Eventually(t, 20*time.Second, func() bool {
		_, err := os.Stat(filepath.Join(dir, "begun"))
		return err == nil
	})
	for _, sig := range e.signals {
		s.signal(sig)
		s.says("running items have")
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.ended(20*time.Second, exitDrained)
	for _, q := range queues {
		got := said(t, "", "get", "workers", "-q", q, "-o", "jsonpath={[*].state} {[*].leases}")
		if got != "Left 0" {
			t.Errorf("after its end the worker of %s is %q, want it Left without a lease", q, got)
		}
	}
	if got := said(t, "", "get", "queues", "-o", "jsonpath={[*].workers}"); strings.Trim(got, " 0") != "" {
		t.Errorf("after its end the queues have %s workers", got)
	}
}

// A store that is away does not keep a worker.
func TestAWorkerEndsWithoutItsStore(t *testing.T) {
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	store := redistest.Start(t)
	t.Setenv("SLUICE_STORE", store.URL())
	said(t, "a\n", "enqueue", "one")
	said(t, "a\n", "enqueue", "two")
	s := start(t, t.TempDir(), "work", "one", "two", "--", "true")
	proctest.Eventually(t, 20*time.Second, func() bool {
		return said(t, "", "get", "queues", "-o", "jsonpath={[*].depth.done}") == "1 1"
	})
	store.Kill()
	s.signal(syscall.SIGTERM)
	s.ended(20*time.Second, exitStore)
}
