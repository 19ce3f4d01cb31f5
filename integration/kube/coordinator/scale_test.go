package coordinator_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

func TestABurstAndAnother(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {maxParallelism: 10, itemsPerWorker: 5}", "true")
	p.enqueue("film", "a", 200)
	p.ended(200, soon)
	// Some have left when the second burst comes, and the rest are about to.
	until(t, soon, func(context.Context) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.live() == p.made {
			return fmt.Errorf("none of %d has left", p.made)
		}
		return nil
	})
	p.enqueue("film", "b", 60)
	p.ended(260, soon)
	p.workers(0, soon)
	p.once(260)
	p.atMost(10)
	p.undisturbed()
}

// Neither while its workers come up nor when they have begun are there more.
func TestAWorkerIsThereForSeveralItems(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {maxParallelism: 10, itemsPerWorker: 5}", "sleep 1")
	p.enqueue("film", "a", 10)
	p.ended(10, soon)
	p.workers(0, soon)
	p.once(10)
	p.atMost(2)
	if p.made != 2 {
		t.Errorf("%d pods were made for 10 items at 5 a worker, want 2", p.made)
	}
}

func TestATrickleIsTheWorkOfFew(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {maxParallelism: 10}", "true")
	for i := range 12 {
		p.enqueue("film", fmt.Sprint(i), 1)
		p.ended(i+1, soon)
	}
	p.workers(0, soon)
	p.once(12)
	p.atMost(3)
}

func TestTheMinimumIsKeptWarm(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {minParallelism: 2, maxParallelism: 6}", "sleep 1")
	p.workers(2, soon)
	p.enqueue("film", "a", 12)
	p.ended(12, soon)
	p.workers(2, soon)
	p.enqueue("film", "b", 1)
	p.ended(13, soon)
	p.patch("film", `{"spec":{"scaling":{"minParallelism":0}}}`)
	p.workers(0, soon)
	p.once(13)
	p.atMost(6)
	p.undisturbed()
}

// The quick ones are done and their workers let go while the slow ones run.
func TestScalingDownEndsNobodyBusy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("film", "  scaling: {maxParallelism: 8}", `case $0 in slow*) sleep 15;; esac`)
	p.enqueue("film", "slow", 2)
	p.enqueue("film", "quick", 20)
	p.ended(20, soon)
	p.workers(2, soon)
	if got := len(p.lines("end")); got != 20 {
		t.Errorf("%d items had ended when the idle workers had left, want 20", got)
	}
	p.ended(22, soon)
	p.workers(0, soon)
	p.once(22)
	p.undisturbed()
}

func TestASourceAndTheOneAfterIt(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.coordinate()
	p.queue("encode", "  source: {list: [film]}\n  after: render", "true")
	p.queue("render", "  source: {frames: {range: 1-6}}\n  scaling: {maxParallelism: 3}", "sleep 0.2")
	p.condition("encode", "Complete", "True", "Complete", soon)
	ends := p.lines("end")
	if len(ends) != 7 || ends[6][0] != "film" {
		t.Errorf("items ended as %v, want film after 6 frames", ends)
	}
	p.workers(0, soon)
}

// undisturbed checks that no worker was ended by anybody: every item that began
// has ended in the same pod, and the audit log has neither the coordinator nor
// the Job controller deleting a pod.
func (p *place) undisturbed() {
	p.Helper()
	ended := make(map[[2]string]bool)
	for _, l := range p.lines("end") {
		ended[l] = true
	}
	for _, l := range p.lines("begin") {
		if !ended[l] {
			p.Errorf("item %s began in pod %s and did not end there", l[0], l[1])
		}
	}
	for _, e := range p.deleted() {
		if who := e.User.Username; who == account || strings.HasSuffix(who, ":job-controller") {
			p.Errorf("%s deleted pod %s", who, e.ObjectRef.Name)
		}
	}
}

// busyWereLeftAlone checks that of all who end pods, neither a coordinator nor a
// controller that follows its orders was the first to end one in which an item ran.
func (p *place) busyWereLeftAlone() {
	p.Helper()
	busy := make(map[string]string) // items by the pods in which they began and did not end
	for _, l := range p.lines("begin") {
		busy[l[1]] = l[0]
	}
	for _, l := range p.lines("end") {
		if busy[l[1]] == l[0] {
			delete(busy, l[1])
		}
	}
	for _, e := range p.deleted() {
		who, pod := e.User.Username, e.ObjectRef.Name
		_, controller, _ := strings.Cut(who, "system:serviceaccount:kube-system:")
		follows := who == account || slices.Contains([]string{"job-controller", "daemon-set-controller"}, controller) ||
			controller == "generic-garbage-collector" && !p.dropped
		if item := busy[pod]; item != "" && follows {
			p.Errorf("%s deleted pod %s, which had item %s", who, pod, item)
		}
		delete(busy, pod)
	}
}

// deleted is who deleted or evicted which of the place's pods, in order.
func (p *place) deleted() (list []auditv1.Event) {
	p.Helper()
	for _, e := range p.audit() {
		if o := e.ObjectRef; o.Resource == "pods" && (strings.HasPrefix(e.Verb, "delete") || o.Subresource == "eviction") {
			list = append(list, e)
		}
	}
	return list
}

// audit is what the API server was asked about the place's objects.
func (p *place) audit() (own []auditv1.Event) {
	p.Helper()
	events, err := kube.AuditOf(p.namespace)
	if err != nil {
		p.Fatal(err)
	}
	for _, e := range events {
		if e.ObjectRef != nil && e.ObjectRef.Namespace == p.namespace {
			own = append(own, e)
		}
	}
	return own
}

// launched checks how many pods the coordinators' Jobs have made: more would be
// workers that were launched twice.
func (p *place) launched(pods int) {
	p.Helper()
	jobs := 0
	for _, e := range p.audit() {
		if o := e.ObjectRef; e.Verb == "create" && o.Resource == "jobs" && e.User.Username == account && e.ResponseStatus.Code == http.StatusCreated {
			jobs++
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Logf("%d Jobs, %d pods", jobs, p.made)
	if jobs == 0 || p.made > pods {
		p.Errorf("%d Jobs have made %d pods, want %d at the most", jobs, p.made, pods)
	}
}
