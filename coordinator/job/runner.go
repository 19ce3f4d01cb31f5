package job

import (
	"io"
	"maps"
	"os"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"sluice.dev/internal/proc"
)

// Runner runs pods as processes of this machine: a process group for each
// container, with the mark Mark/POD/CONTAINER in its environment, by which
// proc.Sweep finds what left the group. A guard that outlives this process can
// sweep for all that begins with Mark/.
type Runner struct {
	Mark string
	// Env is what every command inherits, as from an image. Nil means this
	// process's environment.
	Env []string
	// Output is asked at each start of a container, and what it gives is closed
	// when that has ended. Nil means that nobody wants to see it.
	Output func(pod *corev1.Pod, container string) (stdout, stderr io.WriteCloser)

	mu   sync.Mutex
	runs map[string]*podRun
	wg   sync.WaitGroup
}

// Start runs a pod, and tells changed its status whenever that changes, in
// order and never at once, but from another goroutine. The last has the phase
// Succeeded or Failed; nothing of the pod is alive then.
func (r *Runner) Start(pod *corev1.Pod, changed func(corev1.PodStatus)) {
	p := newPodRun(r, pod, changed)
	r.mu.Lock()
	if r.runs == nil {
		r.runs = make(map[string]*podRun)
	}
	r.runs[pod.Name] = p
	r.mu.Unlock()
	r.wg.Go(func() {
		p.run()
		r.mu.Lock()
		delete(r.runs, pod.Name)
		r.mu.Unlock()
		p.finish()
	})
}

// End tells a pod's processes to end, and kills those that have not within the
// pod's terminationGracePeriodSeconds.
func (r *Runner) End(name string) {
	r.mu.Lock()
	p := r.runs[name]
	r.mu.Unlock()
	if p != nil {
		p.end("", "")
	}
}

// Kill ends all pods at once, without their grace.
func (r *Runner) Kill() {
	r.mu.Lock()
	runs := slices.Collect(maps.Values(r.runs))
	r.mu.Unlock()
	for _, p := range runs {
		p.end("", "")
		p.kill()
	}
}

// Wait waits until all pods have ended.
func (r *Runner) Wait() { r.wg.Wait() }

func (r *Runner) inherited() []string {
	if r.Env != nil {
		return proc.Unmarked(r.Env)
	}
	return proc.Unmarked(os.Environ())
}

func (r *Runner) output(pod *corev1.Pod, container string) (stdout, stderr io.WriteCloser) {
	if r.Output == nil {
		return nowhere{}, nowhere{}
	}
	return r.Output(pod, container)
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Close() error                { return nil }
