//go:build linux

package job

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/internal/proc/proctest"
)

// soon bounds what should happen at once.
const soon = 20 * time.Second

// sink keeps what containers print.
type sink struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
func (s *sink) Close() error { return nil }
func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// running is a pod that a Runner runs.
type running struct {
	r    *Runner
	pod  *corev1.Pod
	out  *sink
	mark string

	mu   sync.Mutex
	last corev1.PodStatus
	all  []string // phases and container states as they changed
}

func runPod(t *testing.T, edit func(*corev1.Pod), script ...string) *running {
	t.Helper()
	out := new(sink)
	mark := fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), os.Getpid())
	p := &running{
		r: &Runner{
			Mark:   mark,
			Output: func(*corev1.Pod, string) (stdout, stderr io.WriteCloser) { return out, out },
		},
		pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "pi-abcde", Namespace: "default", Labels: map[string]string{"tier": "gold"}},
			Spec:       manifest(nil, script...).Spec.Template.Spec,
		},
		out: out, mark: mark,
	}
	if edit != nil {
		edit(p.pod)
	}
	p.r.Start(p.pod, func(s corev1.PodStatus) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.last = s
		for _, c := range s.ContainerStatuses {
			word := string(s.Phase)
			switch {
			case c.State.Waiting != nil:
				word += " " + c.State.Waiting.Reason
			case c.State.Running != nil:
				word += " running"
			case c.State.Terminated != nil:
				word += fmt.Sprintf(" %d", c.State.Terminated.ExitCode)
			}
			if len(p.all) == 0 || p.all[len(p.all)-1] != word {
				p.all = append(p.all, word)
			}
		}
	})
	t.Cleanup(func() {
		p.r.End(p.pod.Name)
		p.r.Wait()
		if left := proctest.Having(t, "SLUICE_WORKER="+mark); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	return p
}

func (p *running) status() corev1.PodStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *p.last.DeepCopy()
}

// printed waits until the pod has printed text.
func (p *running) printed(t *testing.T, text string) {
	t.Helper()
	proctest.Eventually(t, soon, func() bool { return strings.Contains(p.out.String(), text) })
}

func (p *running) wantEnd(t *testing.T, phase corev1.PodPhase, code int32) {
	t.Helper()
	p.r.Wait()
	s := p.status()
	end := s.ContainerStatuses[0].State.Terminated
	if s.Phase != phase || end == nil || end.ExitCode != code {
		t.Errorf("%s, %+v; want %s with %d; printed %q", s.Phase, s.ContainerStatuses[0].State, phase, code, p.out)
	}
}

func TestPodEndsAsItsCommandDoes(t *testing.T) {
	for _, c := range []struct {
		script string
		phase  corev1.PodPhase
		code   int32
	}{
		{"exit 0", corev1.PodSucceeded, 0},
		{"exit 7", corev1.PodFailed, 7},
		{"kill -9 $$$$", corev1.PodFailed, 137},
		{"kill -TERM $$$$", corev1.PodFailed, 143},
	} {
		t.Run(c.script, func(t *testing.T) { runPod(t, nil, c.script).wantEnd(t, c.phase, c.code) })
	}
}

func TestPodPassesThroughItsPhases(t *testing.T) {
	p := runPod(t, nil, "exit 3")
	p.r.Wait()
	want := "Pending PodInitializing|Running PodInitializing|Running running|Running 3|Failed 3"
	if got := strings.Join(p.all, "|"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCommandOfAContainer(t *testing.T) {
	t.Setenv("INHERITED", "yes")
	t.Setenv("SLUICE_WORKER", "another's")
	dir := t.TempDir()
	p := runPod(t, func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.WorkingDir = dir
		c.Command = []string{"sh", "-c", `pwd; echo "$0|$INHERITED|$NAME|$TIER|$BOTH|$HOSTNAME|$SLUICE_WORKER"; cat; echo err >&2`}
		c.Args = []string{"$(BOTH) $(UNKNOWN) $$(NAME)"}
		field := func(path string) *corev1.EnvVarSource {
			return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
		}
		c.Env = []corev1.EnvVar{
			{Name: "NAME", ValueFrom: field("metadata.name")},
			{Name: "TIER", ValueFrom: field("metadata.labels['tier']")},
			{Name: "BOTH", Value: "$(NAME)-$(TIER)"},
		}
	})
	p.wantEnd(t, corev1.PodSucceeded, 0)
	path, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := path + "\npi-abcde-gold $(UNKNOWN) $(NAME)|yes|pi-abcde|gold|pi-abcde-gold|pi-abcde|" + p.mark + "/pi-abcde/main\nerr\n"
	if got := p.out.String(); got != want {
		t.Errorf("printed %q\nwant    %q", got, want)
	}
}

func TestProgramIsFoundInTheContainersPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), []byte("#!/bin/sh\nexit 5\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := runPod(t, func(p *corev1.Pod) {
		p.Spec.Containers[0].Command = []string{"mine"}
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PATH", Value: dir + ":/bin"}}
	})
	p.wantEnd(t, corev1.PodFailed, 5)
}

func TestCommandThatCannotStart(t *testing.T) {
	p := runPod(t, func(p *corev1.Pod) { p.Spec.Containers[0].Command = []string{"no-such-program"} })
	p.wantEnd(t, corev1.PodFailed, 128)
	if end := p.status().ContainerStatuses[0].State.Terminated; end.Reason != "StartError" || !strings.Contains(end.Message, "no-such-program") {
		t.Errorf("%+v; want StartError that names the program", end)
	}
}

func TestNothingOutlivesItsContainer(t *testing.T) {
	for _, c := range []struct {
		says             string
		script           string
		marked, unmarked int
	}{
		{"in whatever session it hides", "sleep 600 & setsid sleep 600 & (setsid sleep 600 &)", 3, 0},
		{"in its group without its mark", "env -i $PLAIN sleep 600 &", 0, 1},
	} {
		t.Run(c.says, func(t *testing.T) {
			fifo := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			plain := "UNMARKED=" + fifo
			p := runPod(t, func(p *corev1.Pod) {
				p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PLAIN", Value: plain}, {Name: "FIFO", Value: fifo}}
			}, c.script+"\nread x < $FIFO")
			marked := proctest.AwaitSleeps(t, "SLUICE_WORKER="+p.mark, c.marked)
			unmarked := proctest.AwaitSleeps(t, plain, c.unmarked)
			if err := os.WriteFile(fifo, []byte("end\n"), 0); err != nil {
				t.Fatal(err)
			}
			p.wantEnd(t, corev1.PodSucceeded, 0)
			marked.Gone(t, proctest.Limit)
			unmarked.Gone(t, proctest.Limit)
		})
	}
}

func TestEndIsTermAndAfterTheGraceKill(t *testing.T) {
	for _, c := range []struct {
		says   string
		script string
		grace  int64
		phase  corev1.PodPhase
		code   int32
	}{
		{"one that heeds it", "trap 'exit 0' TERM; echo ready; while :; do read x <&3; done 3<>" + t.TempDir() + "/p", 30, corev1.PodSucceeded, 0},
		{"one that does not know it", "echo ready; exec sleep 600", 30, corev1.PodFailed, 143},
		{"one that ignores it", "trap '' TERM; echo ready; sleep 600; exit 0", 1, corev1.PodFailed, 137},
		{"no grace", "trap '' TERM; echo ready; sleep 600; exit 0", 0, corev1.PodFailed, 137},
	} {
		t.Run(c.says, func(t *testing.T) {
			p := runPod(t, func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = &c.grace }, c.script)
			p.printed(t, "ready")
			began := time.Now()
			p.r.End(p.pod.Name)
			p.wantEnd(t, c.phase, c.code)
			if took := time.Since(began); took < time.Duration(c.grace%30)*time.Second || took > soon {
				t.Errorf("ended after %s with a grace of %d s", took, c.grace)
			}
		})
	}
}

func TestKillLeavesNoGrace(t *testing.T) {
	p := runPod(t, func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = new(int64(600)) },
		"trap '' TERM; echo ready; sleep 600; sleep 600")
	p.printed(t, "ready")
	p.r.End(p.pod.Name)
	p.r.Kill()
	p.wantEnd(t, corev1.PodFailed, 137)
}

func TestPodThatIsEndedBeforeItStartsRunsNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ran")
	r := &Runner{Mark: "early"}
	r.Output = func(p *corev1.Pod, _ string) (stdout, stderr io.WriteCloser) {
		r.End(p.Name)
		return nowhere{}, nowhere{}
	}
	var last corev1.PodStatus
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "early"}, Spec: manifest(nil, "touch "+file).Spec.Template.Spec}
	r.Start(pod, func(s corev1.PodStatus) { last = s })
	r.Wait()
	if _, err := os.Stat(file); err == nil || last.Phase != corev1.PodFailed {
		t.Errorf("%s, and the file: %v; want Failed without it", last.Phase, err)
	}
}

func TestOnFailureRestartsInPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tried")
	p := runPod(t, func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyOnFailure },
		"if [ -e "+file+" ]; then exit 0; fi; touch "+file+"; exit 9")
	p.wantEnd(t, corev1.PodSucceeded, 0)
	s := p.status().ContainerStatuses[0]
	if s.RestartCount != 1 || s.LastTerminationState.Terminated == nil || s.LastTerminationState.Terminated.ExitCode != 9 {
		t.Errorf("%d restarts after %+v; want 1 after exit code 9", s.RestartCount, s.LastTerminationState)
	}
}

func TestEndWhileARestartIsAwaited(t *testing.T) {
	p := runPod(t, func(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyOnFailure }, "exit 9")
	proctest.Eventually(t, soon, func() bool {
		w := p.status().ContainerStatuses
		return len(w) > 0 && w[0].State.Waiting != nil && w[0].State.Waiting.Reason == "CrashLoopBackOff"
	})
	p.r.End(p.pod.Name)
	p.wantEnd(t, corev1.PodFailed, 9)
}

func TestRestartsWaitAsTheKubeletDoes(t *testing.T) {
	var r restarts
	now := time.Now()
	var got []string
	for range 8 {
		d := r.next(now)
		got = append(got, d.String())
		now = now.Add(d + time.Second)
	}
	if want := "0s 10s 20s 40s 1m20s 2m40s 5m0s 5m0s"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", got, want)
	}
	if d := r.next(now.Add(11 * time.Minute)); d != 0 {
		t.Errorf("after a long run %s, want none", d)
	}
}

func TestContainersOfAPodRunTogetherAfterInit(t *testing.T) {
	dir := t.TempDir()
	sh := func(name, script string) corev1.Container {
		return corev1.Container{Name: name, Command: []string{"sh", "-c", script}, WorkingDir: dir}
	}
	p := runPod(t, func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{sh("first", "mkfifo a b"), sh("second", "test -p a && echo init")}
		// Each waits for the other.
		p.Spec.Containers = []corev1.Container{sh("left", "echo l > a; read x < b"), sh("right", "read x < a; echo r > b; exit 4")}
	})
	p.wantEnd(t, corev1.PodFailed, 0)
	if s := p.status(); s.ContainerStatuses[1].State.Terminated.ExitCode != 4 || p.out.String() != "init\n" {
		t.Errorf("%+v; printed %q", s.ContainerStatuses[1].State, p.out)
	}
}

func TestInitContainerThatFailsFailsThePod(t *testing.T) {
	p := runPod(t, func(p *corev1.Pod) {
		p.Spec.InitContainers = []corev1.Container{{Name: "first", Command: []string{"sh", "-c", "exit 6"}}}
	}, "echo never")
	p.r.Wait()
	if s := p.status(); s.Phase != corev1.PodFailed || s.InitContainerStatuses[0].State.Terminated.ExitCode != 6 || p.out.String() != "" {
		t.Errorf("%s, %+v; printed %q", s.Phase, s.InitContainerStatuses[0].State, p.out)
	}
}

func TestPodsOwnDeadline(t *testing.T) {
	p := runPod(t, func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(1)) }, "trap 'exit 0' TERM; sleep 600 & wait")
	p.r.Wait()
	if s := p.status(); s.Phase != corev1.PodFailed || s.Reason != "DeadlineExceeded" {
		t.Errorf("%s, %s; want Failed, DeadlineExceeded", s.Phase, s.Reason)
	}
}

func TestJobOfProcesses(t *testing.T) {
	out := new(sink)
	r := &Runner{
		Mark:   fmt.Sprintf("%s-%d", t.Name(), os.Getpid()),
		Output: func(*corev1.Pod, string) (stdout, stderr io.WriteCloser) { return out, out },
	}
	j := NewLoop(newController(t, manifest(indexed(4, 2), "echo index $JOB_COMPLETION_INDEX"), time.Now()), r).Run(t.Context())
	r.Wait()
	if j.Status.CompletedIndexes != "0-3" || conditions(j) != complete {
		t.Errorf("completed %q, %s", j.Status.CompletedIndexes, conditions(j))
	}
	for i := range 4 {
		if want := fmt.Sprintf("index %d\n", i); strings.Count(out.String(), want) != 1 {
			t.Errorf("%q was not printed once: %q", want, out)
		}
	}
}
