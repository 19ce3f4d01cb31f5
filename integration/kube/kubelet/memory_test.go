//go:build kubelet

package kubelet_test

import (
	"strings"
	"testing"
)

// bounded is a pod whose container may have little memory. With limits for all it
// is one of those whose processes the kernel does not all kill first.
const bounded = `{containers: [{name: work, image: foreign:1, command: [/foreign, "{}"], resources: {limits: {memory: 96Mi, cpu: 400m}}}]}`

// The kernel ends the worker itself, of a container at its limit: that the
// container has ended is the proof, and nobody waits for the lease.
func TestAWorkerThatIsKilledForItsMemory(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.queue("film", "  itemPolicy: {lease: 10m, backoffLimit: 0}\n  scaling: {maxParallelism: 2}\n", bounded)
	p.enqueue("film", "hog-first", "fine-1", "fine-2", "fine-3", "fine-4")
	p.died(p.settled("film", 5, 0), "hog-first", "OOMKilled", "the limit of container work is 96Mi")
	p.condition("film", "Disturbed", "True", "OOMKilled", "the limit of container work is 96Mi")
}

// It ends the command alone: the worker tells why, and goes on.
func TestACommandThatIsKilledForItsMemory(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.queue("film", "  itemPolicy: {lease: 10m, backoffLimit: 0}\n", bounded)
	p.enqueue("film", "hog", "fine-1", "fine-2")
	p.died(p.settled("film", 3, 0), "hog", "OOMKilled", "")
	if n := len(p.pods("film")); n != 1 {
		t.Errorf("it took %d pods, want 1", n)
	}
}

// died checks that one item is dead of one attempt, which, and why.
func (p *place) died(dead []item, argument, cause, message string) {
	p.Helper()
	if len(dead) != 1 || dead[0].Argument != argument || dead[0].Attempts != 1 || len(dead[0].Failures) != 1 {
		p.Errorf("dead are %+v, want %s alone, of one attempt", dead, argument)
		return
	}
	f := dead[0].Failures[0]
	p.Logf("%s: %s", f.Cause, f.Message)
	if f.Cause != cause || !strings.Contains(f.Message, message) {
		p.Errorf("it died of that, want %s: %s", cause, message)
	}
}
