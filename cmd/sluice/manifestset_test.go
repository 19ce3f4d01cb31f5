//go:build linux

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice.dev/coordinator/local"
	"sluice.dev/internal/proc/proctest"
)

// startQueues runs a file of WorkQueues, each with a list of items and a script
// that gets one, and waits until the first has said "up".
func startQueues(t *testing.T, spec string) *session {
	t.Helper()
	s := startManifest(t, "apiVersion: sluice.dev/v1alpha1\nkind: WorkQueue\nmetadata: {name: first}\nspec: {source: {list: [a, b]}, itemPolicy: {output: 'out/{}'}, jobTemplate: {spec: {template: {spec: "+
		"{terminationGracePeriodSeconds: 600, containers: [{name: main, image: busybox, command: [sh, -c, %q, sh, '{out}']}]}}}}}\n"+spec, "echo up >>began; until test -e go; do sleep 0.02; done; echo whole >$1")
	proctest.Eventually(t, 20*time.Second, func() bool {
		_, err := os.Stat(filepath.Join(s.dir, "began"))
		return err == nil
	})
	return s
}

const follower = "---\napiVersion: sluice.dev/v1alpha1\nkind: WorkQueue\nmetadata: {name: second}\n" +
	"spec: {after: first, source: {list: [x]}, jobTemplate: {spec: {template: {spec: {containers: [{name: main, image: busybox, command: [touch, never]}]}}}}}\n"

func TestItemsOfAWorkQueueMayFinishAfterOneInterrupt(t *testing.T) {
	s := startQueues(t, follower)
	s.signal(syscall.SIGINT)
	s.says("once more stops it now")
	if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.ended(20*time.Second, exitInterrupted)
	if !strings.Contains(s.said.String(), "first: Unfinished\n2 lines, 2 items\n1 done, 0 dead, 1 left in ") {
		t.Error("one item should have finished, and the other not have begun")
	}
	if out := lines(t, s.dir, "out/a"); out[0] != "whole" {
		t.Errorf("the output is %q", out)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "never")); err == nil {
		t.Error("the WorkQueue after it ran")
	}
	if left := s.staging(); len(left) > 0 {
		t.Errorf("staging is left: %v", left)
	}
}

func TestASecondInterruptStopsAllWorkQueuesAndPods(t *testing.T) {
	s := startQueues(t, "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: beside}\nspec: {template: {spec: "+
		"{restartPolicy: Never, terminationGracePeriodSeconds: 600, containers: [{name: main, image: busybox, command: [sh, -c, 'trap \"\" TERM; setsid sleep 600 & echo pod; sleep 600; sleep 600']}]}}}\n")
	proctest.AwaitSleeps(t, s.mark, 2)
	s.signal(syscall.SIGTERM)
	s.says("once more stops it now")
	s.signal(syscall.SIGTERM)
	s.ended(20*time.Second, exitInterrupted)
	if !strings.Contains(s.said.String(), "0 done, 0 dead, 2 left in ") {
		t.Error("both items should be left")
	}
}

func TestNothingOfAFileOutlivesAKilledRun(t *testing.T) {
	s := startQueues(t, follower)
	s.signal(syscall.SIGKILL)
	proctest.Eventually(t, 20*time.Second, func() bool { return len(proctest.Having(t, s.mark)) == 0 })
}

func TestAScheduleMakesBatchesUntilItIsInterrupted(t *testing.T) {
	s := startManifest(t, "apiVersion: sluice.dev/v1alpha1\nkind: WorkQueue\nmetadata: {name: tick}\n"+
		"spec: {schedule: {schedule: '@every 1s'}, source: {list: [a, b]}, jobTemplate: {spec: {template: {spec: {containers: [{name: main, image: busybox, command: [sh, -c, %q]}]}}}}}\n"+
		strings.ReplaceAll(strings.ReplaceAll(follower, "after: first", "after: tick"), "touch, never", "echo, followed"), "echo {}")
	proctest.Eventually(t, 30*time.Second, func() bool {
		return regexp.MustCompile(`sluice: second-\d+: Complete\n`).MatchString(s.said.String())
	})
	s.signal(syscall.SIGINT)
	s.ended(20*time.Second, exitInterrupted)
	for _, want := range []string{
		`(?m)^sluice: tick-\d+: begins$`,
		`(?m)^sluice: tick-\d+: Complete$`,
		`(?m)^tick-\d+: Complete\n2 lines, 2 items\n2 done, 0 dead in `,
		`(?m)^second-\d+: Complete\n1 line, 1 item\n1 done, 0 dead in `,
	} {
		if !regexp.MustCompile(want).MatchString(s.said.String()) {
			t.Errorf("stderr does not match %s", want)
		}
	}
}

func TestSeatsAreForAllRunsTogether(t *testing.T) {
	s := &seats{free: 3}
	if got := s.take(2) + s.take(2) + s.take(1); got != 3 {
		t.Errorf("%d of 3 seats were taken", got)
	}
	s.give(1)
	if got := s.take(5); got != 1 {
		t.Errorf("%d seats were taken after one was given back", got)
	}
	var endless *seats
	endless.give(1)
	if got := endless.take(7); got != 7 {
		t.Errorf("a run by itself got %d of 7", got)
	}
}

func TestTheLeastWorkersStay(t *testing.T) {
	c := crew{slots: make(map[string]int)}
	if !c.joined("a", 1, 2) || !c.joined("b", 1, 2) || c.joined("c", 1, 2) {
		t.Error("two of three should stay")
	}
	c.left(local.Exit{ID: "a"})
	if !c.joined("d", 1, 2) {
		t.Error("another should stay in the place of one that has ended")
	}
}
