//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice.dev/internal/journal"
	"sluice.dev/internal/proc/proctest"
	"sluice.dev/worker/publish"
)

// resumed is a run that writes a line for each start, as it is after a kill
// and before it.
func resumed(t *testing.T, dir, state string, items ...string) *session {
	t.Helper()
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else the race detector rests for a second
	args := []string{
		"run", "-j", "2", "--state", state, "--output", "out/{}", "--",
		"sh", "-c", `echo $SLUICE_ITEM_ID >>log; sleep 0.03; echo part >"$2"; sleep 0.03; echo "$1" >"$2"`, "sh", "{}", "{out}", ":::",
	}
	return start(t, dir, append(args, items...)...)
}

// recorded is what the journal of a run that has ended says of its items.
func recorded(t *testing.T, dir string) map[string]journal.Item {
	t.Helper()
	j, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	items := make(map[string]journal.Item) // with outputs, each has a record
	err = j.Records(func(r journal.Record) (err error) {
		items[r.ID], err = j.Item(r.ID)
		return err
	})
	if err = errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	return items
}

func TestAKilledRunGoesOnWhereItWas(t *testing.T) {
	dir := t.TempDir()
	var items []string
	for i := range 40 {
		items = append(items, fmt.Sprintf("i%02d", i))
	}
	s := resumed(t, dir, "state", items...)
	proctest.Eventually(t, 20*time.Second, func() bool {
		published, _ := filepath.Glob(filepath.Join(dir, "out", "i*"))
		return len(published) >= 15
	})
	for _, pid := range append([]int{s.cmd.Process.Pid}, proctest.Having(t, s.mark)...) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-s.end
	proctest.Eventually(t, proctest.Limit, func() bool { return len(proctest.Having(t, s.mark)) == 0 })

	before := recorded(t, filepath.Join(dir, "state"))
	if n := len(before); n < 13 || n > 30 {
		t.Fatalf("%d of 40 items are recorded after the kill", n)
	}
	begun := len(lines(t, dir, "log"))

	s = resumed(t, dir, "state", items...)
	s.ended(time.Minute, exitDone)
	if want := fmt.Sprintf("40 items, %d done before\n%d done, 0 dead", len(before), 40-len(before)); !strings.Contains(s.said.String(), want) {
		t.Errorf("the summary does not say %q", want)
	}
	again := lines(t, dir, "log")[begun:]
	for _, id := range again {
		if _, ok := before[id]; ok {
			t.Errorf("item %s was recorded, and ran again", id)
		}
	}
	if len(again) != 40-len(before) {
		t.Errorf("%d items ran after the kill, want %d", len(again), 40-len(before))
	}
	for _, name := range items {
		if got := lines(t, dir, "out/"+name); !slices.Equal(got, []string{name}) {
			t.Errorf("output %s is %q", name, got)
		}
	}
	if left := s.staging(); len(left) > 0 {
		t.Errorf("staging is left: %v", left)
	}
}

// A run that was killed between its commit and its end left an item in one of
// these states.
func TestWhatWasCommittedIsFinished(t *testing.T) {
	for _, c := range []struct {
		name   string
		mangle func(r publish.Record) error
		starts int
	}{
		{"in place", func(publish.Record) error { return nil }, 1},
		{"staged", func(r publish.Record) error {
			if err := os.Mkdir(r.Staging, 0o700); err != nil {
				return err
			}
			return os.Rename(filepath.Join(r.Dir, "a"), filepath.Join(r.Staging, "a"))
		}, 1},
		{"nowhere", func(r publish.Record) error { return os.Remove(filepath.Join(r.Dir, "a")) }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			resumed(t, dir, "first", "a").ended(20*time.Second, exitDone)
			j, err := journal.Open(filepath.Join(dir, "state"))
			if err != nil {
				t.Fatal(err)
			}
			for id, it := range recorded(t, filepath.Join(dir, "first")) {
				r, err := publish.Decode(it.Committed)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.mangle(r); err != nil {
					t.Fatal(err)
				}
				if err := j.Add(journal.Entry{Kind: journal.Committed, ID: id, Attempts: 1, Data: it.Committed}); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			s := resumed(t, dir, "state", "a")
			s.ended(20*time.Second, exitDone)
			if n := len(lines(t, dir, "log")); n != c.starts {
				t.Errorf("it ran %d times in all, want %d", n, c.starts)
			}
			if got := lines(t, dir, "out/a"); !slices.Equal(got, []string{"a"}) {
				t.Errorf("the output is %q", got)
			}
			if left := s.staging(); len(left) > 0 {
				t.Errorf("staging is left: %v", left)
			}
		})
	}
}
