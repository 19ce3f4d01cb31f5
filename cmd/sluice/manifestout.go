package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/coordinator/job"
)

// maxPodLine bounds the memory of a line that does not end: a longer one is
// shown in pieces.
const maxPodLine = 1 << 20

// podOutput shows what pods print, and what is to be said about them. Where
// several pods may be at work it shows whole lines, each after its pod's name.
type podOutput struct {
	prefixed bool
	after    string        // a prefix
	broken   chan struct{} // closed when a stream takes no more

	mu             sync.Mutex
	stdout, stderr io.Writer
	err            error
}

func newPodOutput(stdout, stderr io.Writer, prefixed bool) *podOutput {
	return &podOutput{prefixed: prefixed, after: " ", broken: make(chan struct{}), stdout: stdout, stderr: stderr}
}

// pod is where a container of the pod writes.
func (o *podOutput) pod(p *corev1.Pod, _ string) (stdout, stderr io.WriteCloser) {
	prefix := ""
	if o.prefixed {
		prefix = p.Name + o.after
	}
	return &podStream{o: o, w: o.stdout, prefix: prefix}, &podStream{o: o, w: o.stderr, prefix: prefix}
}

func (o *podOutput) say(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.write(o.stderr, fmt.Appendf(nil, "sluice: "+format+"\n", args...))
}

// write is for the holder of the lock. After an error it discards.
func (o *podOutput) write(w io.Writer, b []byte) {
	if o.err != nil || len(b) == 0 {
		return
	}
	if _, err := w.Write(b); err != nil {
		o.err = fmt.Errorf("output: %w", err)
		close(o.broken)
	}
}

// failure is why the output is broken, if it is.
func (o *podOutput) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// tables shows what kubectl get jobs and kubectl get pods would.
func (o *podOutput) tables(outcomes []outcome) {
	var (
		jobs []*batchv1.Job
		pods []*corev1.Pod
		b    bytes.Buffer
		now  = time.Now()
	)
	for _, done := range outcomes {
		jobs, pods = append(jobs, done.job), append(pods, done.pods...)
	}
	if len(jobs) > 0 {
		_ = job.WriteJobs(&b, jobs, now) // a buffer takes all
	}
	if len(pods) > 0 {
		b.WriteByte('\n')
		_ = job.WritePods(&b, pods, now)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.write(o.stderr, b.Bytes())
}

// podStream is a stream of a container. It takes everything: a container does
// not fail because nobody reads it.
type podStream struct {
	o      *podOutput
	w      io.Writer
	prefix string
	line   []byte // what has no end yet
}

func (s *podStream) Write(b []byte) (int, error) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	if s.prefix == "" {
		s.o.write(s.w, b)
		return len(b), nil
	}
	s.line = append(s.line, b...)
	var shown []byte
	for line := range bytes.Lines(s.line) {
		whole := line[len(line)-1] == '\n'
		if !whole && len(line) < maxPodLine {
			break
		}
		shown = append(append(shown, s.prefix...), line...)
		if !whole {
			shown = append(shown, '\n')
		}
		s.line = s.line[len(line):]
	}
	s.o.write(s.w, shown)
	return len(b), nil
}

// Close shows a last line that has no end.
func (s *podStream) Close() error {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	if len(s.line) > 0 {
		s.o.write(s.w, slices.Concat([]byte(s.prefix), s.line, []byte("\n")))
		s.line = nil
	}
	return nil
}

// toldPods says when a container fails, but for one that was told to end.
type toldPods struct {
	*job.Runner
	out *podOutput

	mu     sync.Mutex
	ending map[string]bool
}

// Start runs a pod.
func (t *toldPods) Start(pod *corev1.Pod, changed func(corev1.PodStatus)) {
	said := make(map[string]metav1.Time) // the end of a container that was told last
	t.Runner.Start(pod, func(s corev1.PodStatus) {
		for _, c := range slices.Concat(s.InitContainerStatuses, s.ContainerStatuses) {
			end := c.State.Terminated
			if end == nil || end.ExitCode == 0 || said[c.Name] == end.FinishedAt {
				continue
			}
			said[c.Name] = end.FinishedAt
			if t.told(pod.Name) {
				continue
			}
			why := fmt.Sprintf("exit code %d", end.ExitCode)
			if end.Message != "" {
				why = end.Message
			}
			t.out.say("pod %s: %s: %s", pod.Name, c.Name, why)
		}
		changed(s)
	})
}

// End tells a pod to end.
func (t *toldPods) End(name string) {
	t.mu.Lock()
	t.ending[name] = true
	t.mu.Unlock()
	t.Runner.End(name)
}

func (t *toldPods) told(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ending[name]
}
