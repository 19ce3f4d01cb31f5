//go:build linux

package faults_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/internal/natstest"
	"sluice.dev/internal/proc/proctest"
	"sluice.dev/internal/redistest"
)

const awayLease = 2 * time.Second

// server is a store's, which forgets nothing when it is killed.
type server interface {
	URL() string
	Kill()
	Restart(t testing.TB)
}

// A store is away for three times as long as a lease. What runs and names an
// output goes on meanwhile, though all leases have passed when the store is back
// and a worker has free slots: each item is begun once and done at its first
// attempt.
func TestWorkOutlivesAStoreThatIsAway(t *testing.T) {
	bin := build(t, "sluice.dev/cmd/sluice")
	for name, start := range map[string]func(testing.TB) server{
		"redis": func(t testing.TB) server { return redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always") },
		"nats": func(t testing.TB) server {
			return natstest.Launch(t, "jetstream { store_dir: $DIR, sync_interval: always }")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := start(t)
			u := &user{T: t, dir: t.TempDir(), sluice: filepath.Join(bin, "sluice"), store: store.URL()}
			u.say("enqueue", "films", "--lease", awayLease.String(), "--output", "out/{}", "--items", u.file("items", "a\nb\nc\nd\n"))
			var workers [2]*exec.Cmd
			for i := range workers {
				workers[i] = u.start("work", "films", "--concurrency", "4", "--until-empty", "--", "sh", "-c",
					`echo {} >>begun; until test -e go; do sleep 0.05; done; echo {} >"$1"`, "sh", "{out}")
			}
			proctest.Eventually(t, time.Minute, func() bool {
				ready := strings.Fields(u.say("get", "workers", "-q", "films", "-o", "name"))
				return len(u.lines("begun")) == 4 && len(ready) == 2
			})
			store.Kill()
			<-time.After(3 * awayLease)
			store.Restart(t)
			proctest.Eventually(t, time.Minute, func() bool { // their leases are renewed
				return len(strings.Fields(u.say("get", "items", "-q", "films", "--state", "leased", "-o", "name"))) == 4
			})
			u.file("go", "")
			for _, w := range workers {
				if err := w.Wait(); err != nil {
					t.Errorf("a worker ends with %v\n%s", err, w.Stderr)
				}
			}
			if got, want := u.lines("begun"), []string{"a", "b", "c", "d"}; !slices.Equal(got, want) {
				t.Errorf("begun: %q, want each once", got)
			}
			attempts := u.say("get", "items", "-q", "films", "--state", "done", "-o", "jsonpath={[*].attempts}")
			if attempts != "1 1 1 1" {
				t.Errorf("attempts %q, want four times 1", attempts)
			}
		})
	}
}

// user says lines to sluice.
type user struct {
	*testing.T
	dir, sluice, store string
}

func (u *user) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(u.Context(), u.sluice, args...)
	cmd.Dir, cmd.Stderr = u.dir, new(bytes.Buffer)
	cmd.Env = append(os.Environ(), "SLUICE_STORE="+u.store)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// say is what a line prints that succeeds.
func (u *user) say(args ...string) string {
	u.Helper()
	cmd := u.command(args...)
	out, err := cmd.Output()
	if err != nil {
		u.Fatalf("sluice %s: %v\n%s", strings.Join(args, " "), err, cmd.Stderr)
	}
	return strings.TrimSpace(string(out))
}

// start says a line that does not end at once.
func (u *user) start(args ...string) *exec.Cmd {
	u.Helper()
	cmd := u.command(args...)
	if err := cmd.Start(); err != nil {
		u.Fatal(err)
	}
	return cmd
}

func (u *user) file(name, text string) string {
	u.Helper()
	path := filepath.Join(u.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		u.Fatal(err)
	}
	return path
}

// lines are those of a file, sorted, and none if there is no such file.
func (u *user) lines(name string) []string {
	text, _ := os.ReadFile(filepath.Join(u.dir, name))
	return slices.Sorted(slices.Values(strings.Fields(string(text))))
}
