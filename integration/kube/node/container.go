package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Restarts of a container are delayed by these, where a kubelet has 10 s and
// 5 min.
const (
	firstRestart = 250 * time.Millisecond
	laterRestart = 5 * time.Second
)

// container is one of a pod's, through all of its restarts.
type container struct {
	pod     *pod
	spec    *corev1.Container
	index   int
	init    bool
	began   chan struct{} // closed once it runs for the first time
	restart int
}

func newContainer(p *pod, index int, init bool) *container {
	list := p.object.Spec.Containers
	if init {
		list = p.object.Spec.InitContainers
	}
	return &container{pod: p, spec: &list[index], index: index, init: init, began: make(chan struct{})}
}

// report changes the container's status.
func (c *container) report(change func(*corev1.ContainerStatus)) {
	c.pod.report(func(s *status) {
		if c.init {
			change(&s.inits[c.index])
		} else {
			change(&s.mains[c.index])
		}
	})
}

// run runs the container until its policy has it end, or the pod is stopped,
// and tells whether it ended well.
func (c *container) run(policy corev1.RestartPolicy) bool {
	for delay := firstRestart; ; delay = min(2*delay, laterRestart) {
		ended, ok := c.once()
		if !ok {
			return false
		}
		again := policy == corev1.RestartPolicyAlways || policy == corev1.RestartPolicyOnFailure && ended.ExitCode != 0
		if !again || isClosed(c.pod.stopping) {
			return ended.ExitCode == 0
		}
		c.restart++
		c.report(func(s *corev1.ContainerStatus) {
			s.LastTerminationState = s.State
			s.RestartCount = int32(c.restart)
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
				Reason: "CrashLoopBackOff", Message: fmt.Sprintf("back-off %s restarting failed container=%s", delay, c.spec.Name),
			}}
		})
		select {
		case <-time.After(delay):
		case <-c.pod.stopping:
			c.report(func(s *corev1.ContainerStatus) {
				s.State, s.LastTerminationState = s.LastTerminationState, corev1.ContainerState{}
			})
			return false
		}
	}
}

// once runs the container's process to its end. It is not ok if there was none,
// since the pod was stopped before.
func (c *container) once() (ended *corev1.ContainerStateTerminated, ok bool) {
	launch, ok := c.prepare()
	if !ok {
		return nil, false
	}
	logFile, err := os.OpenFile(c.pod.logFile(c.spec.Name, c.restart), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return c.failed(err), true
	}
	defer func() { _ = logFile.Close() }()

	// The kernel kills the process with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	proc := newProcess(launch, logFile, c.init && sidecar(c.spec))
	started, err := c.pod.start(proc)
	if err != nil {
		return c.failed(err), true
	}
	if !started {
		return nil, false
	}
	err = proc.begin()
	at := metav1.Now()
	if err == nil {
		c.report(func(s *corev1.ContainerStatus) {
			yes := true
			s.ContainerID, s.Ready, s.Started = c.id(), true, &yes
			s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at}}
		})
		if c.restart == 0 {
			close(c.began)
		}
	}
	code := proc.wait()
	c.pod.reaped(proc)
	if err != nil {
		return c.failed(err), true
	}
	reason := "Completed"
	if code != 0 {
		reason = "Error"
	}
	return c.end(&corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: c.lastWords(code), StartedAt: at,
	}), true
}

// end reports that the process is gone.
func (c *container) end(t *corev1.ContainerStateTerminated) *corev1.ContainerStateTerminated {
	t.FinishedAt, t.ContainerID = metav1.Now(), c.id()
	c.report(func(s *corev1.ContainerStatus) {
		s.ContainerID, s.Ready, s.Started = c.id(), c.init && t.ExitCode == 0, new(bool)
		s.State = corev1.ContainerState{Terminated: t}
	})
	return t
}

// failed is for a process that could not be started.
func (c *container) failed(err error) *corev1.ContainerStateTerminated {
	return c.end(&corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: err.Error(), StartedAt: metav1.Now()})
}

func (c *container) id() string {
	return fmt.Sprintf("process://%s/%s/%d", c.pod.object.UID, c.spec.Name, c.restart)
}

// lastWords is what the container says of its end, as a kubelet finds it.
func (c *container) lastWords(code int32) string {
	const most, mostLog = 4096, 2048
	b, err := os.ReadFile(c.terminationFile())
	if err == nil && len(b) > 0 || c.spec.TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError || code == 0 {
		return strings.ToValidUTF8(string(b[:min(len(b), most)]), "")
	}
	b, _ = os.ReadFile(c.pod.logFile(c.spec.Name, c.restart))
	return strings.ToValidUTF8(string(b[max(0, len(b)-mostLog):]), "")
}

func (c *container) terminationFile() string {
	return filepath.Join(c.pod.dir, c.spec.Name+".termination")
}

// prepare makes all that the process needs. What a pod must wait for, such as a
// ConfigMap, is waited for; it is not ok if the pod is stopped before.
func (c *container) prepare() (launch *launchSpec, ok bool) {
	for {
		launch, err := c.launchSpec()
		if err == nil {
			return launch, true
		}
		held := &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: err.Error()}
		var pull *pullError
		if errors.As(err, &pull) {
			held.Reason = "ErrImagePull"
		}
		c.report(func(s *corev1.ContainerStatus) {
			if w := s.State.Waiting; w != nil && (w.Reason == "ErrImagePull" || w.Reason == "ImagePullBackOff") && pull != nil {
				held.Reason, held.Message = "ImagePullBackOff", "Back-off pulling image \""+c.spec.Image+"\": "+err.Error()
			}
			s.State = corev1.ContainerState{Waiting: held}
		})
		select {
		case <-time.After(time.Second):
		case <-c.pod.stopping:
			return nil, false
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
