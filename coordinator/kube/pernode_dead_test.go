package kube

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// incarnationOn is what a store says of one.
func incarnationOn(on string, n int64, queueNumber, leases int) queue.WorkerInfo {
	return queue.WorkerInfo{ID: fmt.Sprintf("film-%s.%s.%d-%d", on, on, n, queueNumber), Leases: leases}
}

func TestOnlyIncarnationsThatSurelyEndedLoseTheirLeases(t *testing.T) {
	oom := func(n int64) *corev1.ContainerStateTerminated { return end(137, "OOMKilled", saysOf("a", n), began) }
	for _, tt := range []struct {
		name         string
		now          corev1.ContainerState
		last         *corev1.ContainerStateTerminated
		node, shared []queue.WorkerInfo
		want         []string // queue number, incarnation, cause
		later        []string // once the status has had its time
	}{
		{"it waits to be started again", waits, oom(5),
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 1)}, []queue.WorkerInfo{incarnationOn("a", 5, 2, 1)},
			[]string{"5-1 OOMKilled", "5-2 OOMKilled"}, nil},
		{"it has ended and will be started again", over(oom(5)), nil,
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 1)}, nil,
			[]string{"5-1 OOMKilled"}, nil},
		{"it works again", runs, oom(5),
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 2), incarnationOn("a", 7, 1, 1)}, []queue.WorkerInfo{incarnationOn("a", 7, 2, 1)},
			[]string{"5-1 OOMKilled"}, nil},
		{"it works again, and its pod's status is late", over(oom(5)), nil,
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 1), incarnationOn("a", 7, 1, 1)}, []queue.WorkerInfo{incarnationOn("a", 7, 2, 1)},
			[]string{"5-1 OOMKilled"}, nil},
		{"it works again, and nothing holds a lease that is dead", runs, oom(5),
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 0), incarnationOn("a", 7, 1, 1)}, nil, nil, nil},
		{"two have ended, of which the status has the last", runs, oom(7),
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 1), incarnationOn("a", 7, 1, 1)}, []queue.WorkerInfo{incarnationOn("a", 8, 2, 0)},
			[]string{"7-1 OOMKilled"}, []string{"5-1 LeaseExpired"}},
		{"it works again, says one queue, and its pod does not yet", over(end(1, "Error", "bye", began)), nil,
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 1)}, []queue.WorkerInfo{incarnationOn("a", 7, 2, 1)},
			nil, []string{"5-1 LeaseExpired"}},
		{"nobody says which one has ended", over(end(137, "Error", "bye", began)), nil,
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 1)}, []queue.WorkerInfo{incarnationOn("a", 5, 2, 1)}, nil, nil},
		{"one that the store does not know has ended", waits, oom(7),
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 1)}, nil, nil, nil},
		{"it names another pod's", waits, end(137, "Error", saysOf("b", 5), began),
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 1), incarnationOn("b", 5, 1, 1)}, nil, nil, nil},
		{"another pod's came later", waits, end(1, "Error", "bye", began),
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 1), incarnationOn("b", 7, 1, 1)}, nil, nil, nil},
		{"it runs for the first time", runs, nil,
			[]queue.WorkerInfo{incarnationOn("a", 5, 1, 1)}, []queue.WorkerInfo{incarnationOn("a", 5, 2, 1)}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLand(t, "a")
			l.start("a")
			l.status("a", tt.now, tt.last)
			q := l.queues["film.node.a"]
			q.workers, q.depth.Leased = slices.Clone(tt.node), 1
			l.q.workers = slices.Clone(tt.shared)
			expired := func() (got []string) {
				l.look("film")
				for _, one := range []*fakeQueue{&q.fakeQueue, l.q} {
					for i, worker := range one.expired {
						got = append(got, strings.TrimPrefix(worker, "film-a.a.")+" "+string(one.failures[i].Cause))
						at := slices.IndexFunc(one.workers, func(k queue.WorkerInfo) bool { return k.ID == worker })
						one.workers = slices.Delete(one.workers, at, at+1) // as a store does
					}
					one.expired, one.failures = nil, nil
				}
				return got
			}
			if got := expired(); !slices.Equal(got, tt.want) {
				t.Errorf("expired %q, want %q", got, tt.want)
			}
			l.at = l.at.Add(namedWithin)
			if got := expired(); !slices.Equal(got, tt.later) {
				t.Errorf("later it expired %q, want %q", got, tt.later)
			}
		})
	}
}

// A DaemonSet's pod that fails is gone, and another takes its place.
func TestAPodThatIsGoneAtOnceHasSaidHowItEnded(t *testing.T) {
	l := newLand(t, "a")
	l.start("a")
	p := l.status("a", over(end(137, "Error", saysOf("a", 5), began)), nil)
	p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", "it used 2Gi of its 1Gi"
	l.remove(p)
	l.r.bequeath(p)
	l.start() // nobody yet
	another := pod("a")
	another.UID, another.Labels, another.Annotations = "other", p.Labels, p.Annotations
	another.OwnerReferences, another.Spec = p.OwnerReferences, p.Spec
	containerIs(another, runs)
	l.add(another)
	q := l.queues["film.node.a"]
	q.workers, q.depth.Leased = []queue.WorkerInfo{incarnationOn("a", 5, 1, 1), {ID: "film-a.other.9-1", Leases: 1}}, 1
	got := l.look("film")
	wantCondition(t, got, Disturbed, metav1.ConditionTrue, exceeded)
	if len(q.expired) != 1 || q.expired[0] != q.workers[0].ID || q.failures[0].Cause != queue.CauseResourceExceeded || !strings.Contains(q.failures[0].Message, "2Gi") {
		t.Errorf("expired %q: %+v", q.expired, q.failures)
	}
	l.at = began.Add(2 * recent)
	wantCondition(t, l.look("film"), Disturbed, metav1.ConditionFalse, "Undisturbed")
	if len(l.r.bygone) > 0 {
		t.Errorf("%v are kept for ever", l.r.bygone)
	}
}

func TestAWorkerOfANodeThatIsStartedAgainIsCounted(t *testing.T) {
	l := newLand(t, "a", "b", "c")
	l.start("a", "b", "c")
	l.q.workers = []queue.WorkerInfo{incarnationOn("a", 5, 2, 0), incarnationOn("a", 7, 2, 1), incarnationOn("b", 5, 2, 1), incarnationOn("c", 5, 2, 0)}
	l.status("b", waits, end(137, "Error", saysOf("b", 5), began))
	got := l.look("film").Status.Workers
	if want := (workload.WorkersStatus{Live: 3, Running: 2, Starting: 1, Busy: 1}); got != want {
		t.Errorf("workers %+v, want %+v", got, want)
	}
}

func TestAWorkerOfANodeIsToldWhereToNameItself(t *testing.T) {
	for path, want := range map[string]string{"": corev1.TerminationMessagePathDefault, "/tmp/end": "/tmp/end"} {
		for _, command := range [][]string{{"render", "{}"}, {"sluice", "work", "film.node.$(SLUICE_NODE_NAME)", "film", "--", "render"}} {
			w := film(t, perNode)
			c := &w.Spec.JobTemplate.Spec.Template.Spec.Containers[0]
			c.TerminationMessagePath, c.Command, c.Args = path, command, nil
			if got := shapeOf(t, w).template.Spec.Containers[0].Env; !slices.Contains(got, corev1.EnvVar{Name: lastWordsEnv, Value: want}) {
				t.Errorf("%v: environment %+v, want %s", command, got, want)
			}
		}
	}
	for _, e := range shapeOf(t, film(t, "")).template.Spec.Containers[0].Env {
		if e.Name == lastWordsEnv {
			t.Error("a wave's worker, which starts once, is told too")
		}
	}
}
