package node

import (
	"context"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const loopback = "127.0.0.1"

// pod is a pod that is bound to this node, from when the node learns of it to
// when the API server has none of it left.
type pod struct {
	node    *node
	object  *corev1.Pod // as it was first seen
	dir     string
	ip      string
	started metav1.Time

	stopping chan struct{} // closed when no container may start any more
	deleted  chan struct{} // closed when it is to be deleted

	letGo   sync.Once         // of deleted
	sources map[string]string // where volumes are on this machine

	reporting sync.Mutex // held before mu

	mu       sync.Mutex
	status   status
	reported []byte // the last patch of its status
	alive    map[*process]bool
	stopped  bool // stopping is closed
}

func newPod(n *node, object *corev1.Pod) *pod {
	p := &pod{
		node: n, object: object.DeepCopy(), dir: filepath.Join(n.Dir, "pods", string(object.UID)),
		started: metav1.Now(), stopping: make(chan struct{}), deleted: make(chan struct{}), alive: map[*process]bool{},
	}
	// Linux has all of 127.0.0.0/8, so that each pod can have an address.
	h := fnv.New32a()
	_, _ = h.Write([]byte(object.UID))
	sum := h.Sum32()
	p.ip = net.IPv4(127, byte(1+sum>>16%254), byte(sum>>8), byte(1+sum%254)).String()
	p.status = newStatus(&object.Spec)
	return p
}

// live is a pod's whole life on this node.
func (p *pod) live() {
	switch status := &p.object.Status; {
	case ended(status.Phase): // in an earlier life of this node
	case status.StartTime != nil:
		p.lost()
	default:
		p.run()
	}
	select {
	case <-p.deleted:
		p.remove()
	case <-p.node.ctx.Done():
	}
}

// run takes the pod from Pending to Succeeded or Failed.
func (p *pod) run() {
	defer func() { _ = os.RemoveAll(p.volumeDir()) }()
	p.report(nil)
	if s := p.object.Spec.ActiveDeadlineSeconds; s != nil {
		t := time.AfterFunc(time.Duration(*s)*time.Second, func() {
			p.stop(p.grace(), "DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
		})
		defer t.Stop()
	}
	defer context.AfterFunc(p.node.ctx, func() { p.stop(0, "", "") })()

	var sidecars sync.WaitGroup
	ok := p.prepareVolumes() && p.runInits(&sidecars)
	if ok {
		var mains sync.WaitGroup
		for i := range p.object.Spec.Containers {
			c := newContainer(p, i, false)
			mains.Go(func() { c.run(p.object.Spec.RestartPolicy) })
		}
		mains.Wait()
	}
	p.stop(p.grace(), "", "") // sidecars end with the pod
	sidecars.Wait()
	p.report((*status).finish)
}

// runInits runs init containers one after the other. A sidecar is one that is
// always restarted: it runs on beside those after it.
func (p *pod) runInits(sidecars *sync.WaitGroup) bool {
	for i, spec := range p.object.Spec.InitContainers {
		c := newContainer(p, i, true)
		if sidecar(&spec) {
			sidecars.Go(func() { c.run(corev1.RestartPolicyAlways) })
			select {
			case <-c.began:
			case <-p.stopping:
				return false
			}
			continue
		}
		policy := p.object.Spec.RestartPolicy
		if policy == corev1.RestartPolicyAlways {
			policy = corev1.RestartPolicyOnFailure
		}
		if !c.run(policy) {
			return false
		}
	}
	return true
}

func sidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func (p *pod) grace() time.Duration {
	if s := p.object.Spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return 30 * time.Second
}

// delete stops the pod and lets it go. A later call may shorten the grace.
func (p *pod) delete(grace time.Duration) {
	p.letGo.Do(func() { close(p.deleted) })
	p.stop(grace, "", "")
}

// stop asks all containers to end, sidecars once the others have, and kills
// what is left after grace. The first reason stays.
func (p *pod) stop(grace time.Duration, reason, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		p.stopped = true
		p.status.reason, p.status.message = reason, message
		close(p.stopping)
	}
	if len(p.alive) == 0 {
		return
	}
	if grace <= 0 {
		p.kill()
		return
	}
	onlySidecars := true
	for proc := range p.alive {
		onlySidecars = onlySidecars && proc.sidecar
	}
	for proc := range p.alive {
		if proc.sidecar == onlySidecars {
			proc.askToEnd()
		}
	}
	time.AfterFunc(grace, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.kill()
	})
}

// kill is for the holder of the lock.
func (p *pod) kill() {
	for proc := range p.alive {
		proc.kill()
	}
}

// start starts a container's process, unless the pod is being stopped.
func (p *pod) start(proc *process) (started bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return false, nil
	}
	if err := proc.start(); err != nil {
		return false, err
	}
	p.alive[proc] = true
	return true, nil
}

func (p *pod) reaped(proc *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.alive, proc)
}
