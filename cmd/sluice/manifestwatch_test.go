package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// watched is a fileWatch of one file, that a test looks with.
type watched struct {
	*testing.T
	*fileWatch
	path string
	said []string
}

const twoJobs = `apiVersion: batch/v1
kind: Job
metadata: {name: one}
spec: {suspend: %v, template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: [%q]}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: two}
spec: {suspend: %v, template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: ["true"]}]}}}
`

func watchFile(t *testing.T, text string) *watched {
	t.Helper()
	w := &watched{T: t, path: filepath.Join(t.TempDir(), "file.yaml")}
	w.write(text)
	f := &runFlags{manifests: manifestFlags{files: []string{w.path}}}
	work, errs := f.loadManifests(nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	w.fileWatch = work.watch
	w.say = func(format string, args ...any) { w.said = append(w.said, fmt.Sprintf(format, args...)) }
	return w
}

// write puts another file in the place of the first, as editors do.
func (w *watched) write(text string) {
	w.Helper()
	next := w.path + ".new"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	if err := os.Rename(next, w.path); err != nil {
		w.Fatal(err)
	}
}

// wants looks often enough to see a change, and compares what was said and who
// is suspended then.
func (w *watched) wants(suspended string, said ...string) {
	w.Helper()
	for range 3 {
		w.look()
	}
	var on []string
	for _, h := range w.holds {
		if h.suspended() {
			on = append(on, h.name)
		}
	}
	if got := strings.Join(on, " "); got != suspended {
		w.Errorf("suspended: %q, want %q", got, suspended)
	}
	if !slices.EqualFunc(w.said, said, strings.Contains) {
		w.Errorf("said %q, want %q", w.said, said)
	}
	w.said = nil
}

func TestOnlySuspendIsTakenOverFromAFile(t *testing.T) {
	w := watchFile(t, fmt.Sprintf(twoJobs, false, "true", true))
	w.wants("job.batch/two")
	w.write(fmt.Sprintf(twoJobs, true, "true", false))
	w.wants("job.batch/one", "job.batch/one: suspended", "job.batch/two: resumed")

	// What else has changed is told once, and suspend taken over all the same.
	w.write(fmt.Sprintf(twoJobs, false, "false", false))
	w.wants("", "only suspend is taken over while this runs: job.batch/one has changed", "job.batch/one: resumed")
	w.write(fmt.Sprintf(twoJobs, true, "false", false))
	w.wants("job.batch/one", "job.batch/one: suspended")
	one, _, _ := strings.Cut(fmt.Sprintf(twoJobs, false, "true", false), "---\n")
	w.write(one + strings.ReplaceAll("---\n"+one, "name: one", "name: three"))
	w.wants("", "job.batch/three is new, job.batch/two is gone", "job.batch/one: resumed")
	w.write(fmt.Sprintf(twoJobs, false, "true", false))
	w.wants("")
	w.write(fmt.Sprintf(twoJobs, false, "false", false))
	w.wants("", "job.batch/one has changed") // again, since it was as it had been
}

func TestWhatHasEndedIsNotSaidToBeSuspended(t *testing.T) {
	w := watchFile(t, fmt.Sprintf(twoJobs, false, "true", false))
	w.holds.of("job.batch/one").end()
	w.write(fmt.Sprintf(twoJobs, true, "true", true))
	w.wants("job.batch/one job.batch/two", "job.batch/one: has ended: suspend changes nothing now", "job.batch/two: suspended")
}

func TestAFileWithAFaultIsNotTakenOver(t *testing.T) {
	w := watchFile(t, fmt.Sprintf(twoJobs, false, "true", false))
	w.write(fmt.Sprintf(twoJobs, true, "true", "maybe"))
	w.wants("", "not taken over: "+w.path+":9:17: spec.suspend: ")
	w.write(strings.ReplaceAll(fmt.Sprintf(twoJobs, true, "true", true), "template", "parallelism: 0, template")) // which only a cluster takes
	w.wants("", "not taken over: "+w.path+":4:36: spec.parallelism: 0 would start no pod, and nothing here changes it: 1 or more is allowed (and 1 more)")
	w.write("kind: {")
	w.wants("", "not taken over: "+w.path+":2: not YAML")
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	w.wants("", "not taken over: "+w.path+": no such file or directory")
	w.wants("")
	w.write(fmt.Sprintf(twoJobs, true, "true", false))
	w.wants("job.batch/one", "job.batch/one: suspended")
}

func TestAFileThatIsBeingWrittenIsNotRead(t *testing.T) {
	text := fmt.Sprintf(twoJobs, true, "true", true)
	w := watchFile(t, text)
	half, _, _ := strings.Cut(strings.ReplaceAll(text, "suspend: true, ", ""), "---\n")
	for i := range 5 { // it grows from look to look
		w.write(half + strings.Repeat("#\n", i))
		w.look()
	}
	w.write(text)
	w.wants("job.batch/one job.batch/two")
}

func TestWaitingIsSaidOnceARow(t *testing.T) {
	w := watchFile(t, fmt.Sprintf(twoJobs, true, "true", true))
	said := func(want ...string) {
		t.Helper()
		for range 4 {
			w.wait()
		}
		if !slices.EqualFunc(w.said, want, strings.Contains) {
			t.Errorf("said %q, want %q", w.said, want)
		}
		w.said = nil
	}
	said() // nothing has begun
	runs := true
	one := w.holds.of("job.batch/one").add(&held{running: func() bool { return runs }})
	two := w.holds.of("job.batch/two").add(&held{})
	said() // a pod has not ended
	runs = false
	said("all that is left waits: job.batch/one, job.batch/two are suspended: set suspend: false in " + w.path + " to resume, or interrupt")
	said()
	w.holds.of("job.batch/two").set(false)
	said()
	two() // it has ended
	said("job.batch/one is suspended: set suspend: false in " + w.path)
	one()
	said()
}

func TestTheNamesOfWhatIsHeld(t *testing.T) {
	w := watchFile(t, "apiVersion: sluice.dev/v1alpha1\nkind: WorkQueue\nmetadata: {name: tick, namespace: films}\n"+
		"spec: {suspend: true, schedule: {schedule: '@daily', suspend: true}, source: {list: [a]}, jobTemplate: {spec: {template: {spec: {containers: [{name: main, image: busybox, command: ['true']}]}}}}}\n"+
		"---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: tock}\n"+
		"spec: {suspend: true, schedule: '@daily', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: ['true']}]}}}}}\n")
	w.wants("workqueue.sluice.dev/tick -n films workqueue.sluice.dev/tick -n films schedule cronjob.batch/tock")
}
