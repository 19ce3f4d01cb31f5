package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice.dev/internal/proc/proctest"
)

// suspend sets the field of the session's file, in which it stands once, by
// renaming another over it.
func (s *session) suspend(on bool) {
	s.Helper()
	path := filepath.Join(s.dir, "file.yaml")
	was, is := "suspend: true", "suspend: false"
	if on {
		was, is = is, was
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), was) {
		s.Fatalf("no %q in the file: %v", was, err)
	}
	if err := os.WriteFile(path+"~", []byte(strings.ReplaceAll(string(text), was, is)), 0o600); err != nil {
		s.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		s.Fatal(err)
	}
}

// inOrder checks that stderr matches each of these, one after another.
func (s *session) inOrder(patterns ...string) {
	s.Helper()
	rest := s.said.String()
	for _, p := range patterns {
		at := regexp.MustCompile("(?m)" + p).FindStringIndex(rest)
		if at == nil {
			s.Errorf("stderr does not match %s after those before it", p)
			return
		}
		rest = rest[at[1]:]
	}
}

// await waits for a file in the session's folder.
func (s *session) await(name string) {
	s.Helper()
	proctest.Eventually(s, 60*time.Second, func() bool {
		_, err := os.Stat(filepath.Join(s.dir, name))
		return err == nil
	})
}

func (s *session) touch(name string) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), nil, 0o600); err != nil {
		s.Fatal(err)
	}
}

func TestASuspendedJobBeginsWhenItsFileSaysSo(t *testing.T) {
	s := startManifest(t, "apiVersion: batch/v1\nkind: Job\nmetadata: {name: pi}\nspec: {suspend: true, activeDeadlineSeconds: 60, template: {spec: "+podSpec+"}}\n", "echo up >&2")
	s.says("sluice: all that is left waits: job.batch/pi is suspended: set suspend: false in file.yaml to resume, or interrupt\n")
	s.suspend(false)
	s.ended(60*time.Second, 0)
	s.inOrder(`^sluice: job.batch/pi: suspended$`, `^sluice: all that`, `^sluice: job.batch/pi: resumed$`, `^up$`, `^pi +Complete +1/1 `, `^pi-[a-z0-9]{5} +0/1 +Completed +0 `)
}

func TestASuspensionEndsPodsAndCountsNone(t *testing.T) {
	s := startManifest(t, "apiVersion: batch/v1\nkind: Job\nmetadata: {name: pi}\nspec: {suspend: false, backoffLimit: 0, template: {spec: "+podSpec+"}}\n",
		`trap 'echo told >&2; exit 3' TERM; sleep 600 & echo up >&2; wait`)
	s.says("up\n")
	s.suspend(true)
	s.says("all that is left waits: ")
	s.signal(syscall.SIGINT)
	s.ended(60*time.Second, exitInterrupted)
	s.says("told\n") // before or after the run tells of it
	s.inOrder(`^up$`, `^sluice: job.batch/pi: suspended$`, `^sluice: interrupt: `, `^pi +Suspended +0/1 `, `^pi-[a-z0-9]{5} +0/1 +Error +0 `)
	if said := s.said.String(); strings.Contains(said, "exit code 3") || strings.Contains(said, "Failed") {
		t.Error("an end that the suspension asked for was told as a failure")
	}
}

func TestASuspendedWorkQueueFinishesWhatIsAtWork(t *testing.T) {
	s := startManifest(t, "apiVersion: sluice.dev/v1alpha1\nkind: WorkQueue\nmetadata: {name: first}\nspec: {suspend: true, source: {list: [a, b]}, jobTemplate: {spec: {template: {spec: "+
		"{containers: [{name: main, image: busybox, command: [sh, -c, %q, sh]}]}}}}}\n"+strings.ReplaceAll(follower, "touch, never", "touch"),
		"touch began.$1; until test -e go; do sleep 0.02; done; touch done.$1")
	const waits = "sluice: all that is left waits: workqueue.sluice.dev/first is suspended: "
	s.says(waits)
	s.suspend(false)
	s.await("began.a")
	s.suspend(true)
	proctest.Eventually(t, 60*time.Second, func() bool { return strings.Count(s.said.String(), "/first: suspended\n") == 2 })
	s.touch("go")
	s.await("done.a")
	proctest.Eventually(t, 60*time.Second, func() bool { return strings.Count(s.said.String(), waits) == 2 })
	if left, _ := filepath.Glob(filepath.Join(s.dir, "*b")); len(left) > 0 {
		t.Error("an item began while its WorkQueue was suspended")
	}
	s.suspend(false)
	s.ended(60*time.Second, 0)
	s.await("x") // what follows it
	s.inOrder(`/first: suspended$`, `/first: resumed$`, `/first: suspended$`, `/first: resumed$`, `^first: Complete\n2 lines, 2 items\n2 done, 0 dead in `, `^second: Complete$`)
}

func TestAnInterruptedRunSaysWhatWasSuspended(t *testing.T) {
	s := startManifest(t, "apiVersion: sluice.dev/v1alpha1\nkind: WorkQueue\nmetadata: {name: first}\nspec: {suspend: true, source: {list: [a, b]}, jobTemplate: {spec: {template: {spec: "+
		"{containers: [{name: main, image: busybox, command: [%s]}]}}}}}\n"+follower, "touch")
	s.says("sluice: all that is left waits: ")
	s.signal(syscall.SIGINT)
	s.ended(60*time.Second, exitInterrupted)
	s.inOrder(`^first: Suspended\n2 lines, 2 items\n0 done, 0 dead, 2 left in `, `^second: Not run: first is not Complete$`)
}

func TestASuspendedScheduleMakesNoBatches(t *testing.T) {
	s := startManifest(t, "apiVersion: sluice.dev/v1alpha1\nkind: WorkQueue\nmetadata: {name: tick}\n"+
		"spec: {schedule: {schedule: '@every 1s', suspend: true}, source: {list: [a]}, jobTemplate: {spec: {template: {spec: {containers: [{name: main, image: busybox, command: [%s]}]}}}}}\n"+
		"---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: tock}\n"+
		"spec: {suspend: true, schedule: '@every 1s', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: ['true']}]}}}}}\n", "echo")
	s.says("sluice: all that is left waits: workqueue.sluice.dev/tick schedule, cronjob.batch/tock are suspended: ")
	if said := s.said.String(); strings.Contains(said, "begins") || strings.Contains(said, "Created") {
		t.Error("something began")
	}
	s.suspend(false)
	proctest.Eventually(t, 60*time.Second, func() bool {
		said := s.said.String()
		return regexp.MustCompile(`tick-\d+: Complete\n`).MatchString(said) && strings.Contains(said, "Created job tock-")
	})
	s.suspend(true)
	proctest.Eventually(t, 60*time.Second, func() bool { return strings.Count(s.said.String(), "all that is left waits: ") == 2 })
	s.signal(syscall.SIGINT)
	s.ended(60*time.Second, exitInterrupted)
	s.inOrder(`^sluice: workqueue.sluice.dev/tick schedule: resumed$`, `^sluice: workqueue.sluice.dev/tick schedule: suspended$`, `^tock-\d+ +Complete +1/1 `, `^tick-\d+: Complete$`)
}
