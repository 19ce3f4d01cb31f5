package coordinator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/manifests/workload"
)

// Five reasons for which there are fewer workers than items: "sluice explain"
// names the one that holds, with the numbers of the WorkQueue's status.
func TestExplainNamesTheRuleThatHolds(t *testing.T) {
	t.Parallel()
	const six = "  scaling: {maxParallelism: 6}"
	for name, tt := range map[string]struct {
		spec   string
		before func(*place)
		after  func(*place)
		says   []string
	}{
		"quota": {
			spec: six, before: func(p *place) { p.quota("2") },
			says: []string{"not Scaling", "QuotaExceeded", "exceeded quota: pods", "limited: count/pods=2"},
		},
		"paused": {
			spec: six, before: func(p *place) { p.patch("film", `{"spec":{"suspend":true}}`) },
			says: []string{"  Scaling", "Paused", "the queue is paused: its items ask for no workers", "6 ready (6 held)", "0 claimable"},
		},
		"at the maximum": {
			spec: "  scaling: {maxParallelism: 2}",
			says: []string{"  Scaling", "AtMaximum", "held at the maximum of 2", "2: 0 pending, 0 starting, 2 running, 2 of them busy"},
		},
		"no room": {
			spec: six, before: func(p *place) {
				p.patch("film", `{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"resources":{"requests":{"cpu":"100"}}}}}}}}`)
			},
			says: []string{"not Scaling", "Unschedulable", "has found no node for", "Insufficient cpu", "6: 6 pending, 0 starting, 0 running"},
		},
		"unknown": {
			spec: six, after: func(p *place) { p.server.kill() },
			says: []string{"Seen       when the queue could last be read", "not StoreReachable", "the queue cannot be read, and an unknown number launches nothing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.coordinate()
			p.queue("film", tt.spec, "sleep 600")
			p.condition("film", "Scaling", "True", "Enough", soon)
			if tt.before != nil {
				tt.before(p)
			}
			p.enqueue("film", "a", 6)
			if tt.after != nil {
				tt.after(p)
			}
			t.Log(p.told("film", tt.says...))
		})
	}
}

// quota allows a namespace so many pods, once it is in force.
func (p *place) quota(pods string) {
	p.Helper()
	quotas := kube.Client().CoreV1().ResourceQuotas(p.namespace)
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "pods"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/pods": resource.MustParse(pods)}}}
	if _, err := quotas.Create(p.Context(), q, metav1.CreateOptions{}); err != nil {
		p.Fatal(err)
	}
	until(p.T, soon, func(ctx context.Context) error {
		q, err := quotas.Get(ctx, q.Name, metav1.GetOptions{})
		if err == nil && len(q.Status.Hard) == 0 {
			err = errors.New("the quota is not in force")
		}
		return err
	})
}

// told waits until "sluice explain" says all of this, and the numbers that the
// WorkQueue's status has at that time.
func (p *place) told(queue string, says ...string) (text string) {
	p.Helper()
	until(p.T, soon, func(ctx context.Context) error {
		before, err := p.workQueue(ctx, queue)
		if err != nil {
			return err
		}
		text = p.explain(ctx, queue)
		after, err := p.workQueue(ctx, queue)
		if err != nil {
			return err
		}
		if before.ResourceVersion != after.ResourceVersion {
			return errors.New("the status changed meanwhile")
		}
		for _, s := range append(says, numbers(after)...) {
			if !strings.Contains(text, s) {
				return fmt.Errorf("it does not say %q: %s", s, text)
			}
		}
		return nil
	})
	return text
}

// numbers is what of a status must be in an explanation.
func numbers(w *workload.WorkQueue) (says []string) {
	s := &w.Status
	if d := s.Depth; d != nil {
		says = append(says, fmt.Sprintf("%d ready (%d held), %d leased, %d delayed, %d blocked, %d done, %d dead, %d cancelled",
			d.Ready, d.Held, d.Leased, d.Delayed, d.Blocked, d.Done, d.Dead, d.Cancelled))
	}
	n := s.Workers
	says = append(says, fmt.Sprintf("%d: %d pending, %d starting, %d running, %d of them busy; %d leaving", n.Live, n.Pending, n.Starting, n.Running, n.Busy, n.Leaving))
	for _, c := range s.Conditions {
		says = append(says, c.Reason, c.Message)
	}
	for _, d := range s.Decisions {
		says = append(says, d.Did, d.Rule)
	}
	return says
}

// workQueue reads a WorkQueue.
func (p *place) workQueue(ctx context.Context, name string) (*workload.WorkQueue, error) {
	o, err := objects.Resource(workQueues).Namespace(p.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	w := &workload.WorkQueue{}
	return w, runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, w)
}

// explain is what "sluice explain" says.
func (p *place) explain(ctx context.Context, queue string) string {
	p.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "explain", queue, "-n", p.namespace, "--kubeconfig", kube.Kubeconfig())
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.Fatalf("explain: %v: %s", err, &stderr)
	}
	return string(out)
}
