//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/internal/proc/proctest"
)

// podSpec is that of a pod that runs a script. Its grace is longer than any
// test.
const podSpec = `{restartPolicy: Never, terminationGracePeriodSeconds: 600, containers: [{name: main, image: busybox, command: [sh, -c, %q]}]}`

// startJob runs a Job of one pod, which has said "up" when this returns.
func startJob(t *testing.T, script string) *session {
	t.Helper()
	s := startManifest(t, "apiVersion: batch/v1\nkind: Job\nmetadata: {name: pi}\nspec: {template: {spec: "+podSpec+"}}\n", script)
	s.says("up\n")
	return s
}

func startManifest(t *testing.T, format, script string) *session {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file.yaml"), fmt.Appendf(nil, format, script), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, "run", "-f", "file.yaml")
	return s
}

func TestAnInterruptEndsPodsWithinTheirGrace(t *testing.T) {
	s := startJob(t, `trap 'echo told >&2; exit 0' TERM; setsid sleep 600 & sleep 600 & echo up >&2; wait`)
	s.signal(syscall.SIGINT)
	s.ended(20*time.Second, exitInterrupted)
	for _, want := range []string{"sluice: interrupt: ", "told\n", "\npi     Terminating   1/1 "} {
		if !strings.Contains(s.said.String(), want) {
			t.Errorf("stderr has no %q", want)
		}
	}
}

func TestASecondInterruptKillsPods(t *testing.T) {
	s := startJob(t, `trap '' TERM; setsid sleep 600 & echo up >&2; sleep 600; sleep 600`)
	s.signal(syscall.SIGTERM)
	s.says("once more kills them")
	s.signal(syscall.SIGTERM)
	s.ended(20*time.Second, exitInterrupted)
}

func TestPodsEndWithARunThatIsKilled(t *testing.T) {
	s := startJob(t, `trap '' TERM; setsid sleep 600 & echo up >&2; sleep 600; sleep 600`)
	s.signal(syscall.SIGKILL)
	proctest.Eventually(t, 20*time.Second, func() bool { return len(proctest.Having(t, s.mark)) == 0 })
}

func TestACronJobFiresUntilItIsInterrupted(t *testing.T) {
	s := startManifest(t, "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: tick}\nspec: {schedule: '@every 1s', jobTemplate: {spec: {backoffLimit: 0, template: {spec: "+podSpec+"}}}}\n",
		"echo up >&2; exit 3")
	s.says("Job tick-")
	s.signal(syscall.SIGINT)
	s.ended(20*time.Second, exitInterrupted)
	for _, want := range []string{
		`(?m)^sluice: CronJob tick: SuccessfulCreate: Created job tick-\d+$`,
		`(?m)^tick-\d+-[a-z0-9]{5} up$`,
		`(?m)^sluice: Job tick-\d+: BackoffLimitExceeded: `,
		`(?m)^tick-\d+ +Failed +0/1 `,
	} {
		if !regexp.MustCompile(want).MatchString(s.said.String()) {
			t.Errorf("stderr does not match %s", want)
		}
	}
}

func TestPodOutputShowsWholeLines(t *testing.T) {
	var b bytes.Buffer
	o := newPodOutput(&b, &b, true)
	pod := func(name string) *podStream {
		stdout, _ := o.pod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}, "main")
		return stdout.(*podStream)
	}
	one, two := pod("one"), pod("two")
	for _, w := range []struct {
		to   *podStream
		text string
	}{{one, "a"}, {two, "b\nc"}, {one, "d\n\ne\nf"}, {two, "g\n"}} {
		if n, err := w.to.Write([]byte(w.text)); n != len(w.text) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	one.Close()
	two.Close()
	const want = "two b\none ad\none \none e\ntwo cg\none f\n"
	if b.String() != want {
		t.Errorf("got %q\nwant %q", b.String(), want)
	}
}

func TestPodOutputShowsALineWithoutEndInPieces(t *testing.T) {
	var b bytes.Buffer
	stdout, _ := newPodOutput(&b, &b, true).pod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "one"}}, "main")
	text := bytes.Repeat([]byte("x"), 1000)
	for written := 0; written < 3*maxPodLine; written += len(text) {
		if _, err := stdout.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if got := bytes.Count(b.Bytes(), []byte("\none x")); got < 1 || !bytes.HasPrefix(b.Bytes(), []byte("one x")) {
		t.Errorf("%d bytes in %d lines", b.Len(), got+1)
	}
}
