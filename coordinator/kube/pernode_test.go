package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// nodeStore is the queue of a node: batches by name, and how many items of each
// are ready.
type nodeStore struct {
	fakeQueue
	ready     map[string]int64
	cancelled int64
	made      map[string]time.Time
	now       func() time.Time
	dropped   bool
}

func (q *nodeStore) OpenBatch(_ context.Context, b queue.Batch) error {
	if _, ok := q.made[b.Name]; !ok {
		q.made[b.Name] = q.now()
	}
	return nil
}

func (q *nodeStore) Batches(context.Context) (list []queue.BatchInfo, err error) {
	for _, name := range slices.Sorted(maps.Keys(q.made)) {
		list = append(list, queue.BatchInfo{Name: name, Age: q.now().Sub(q.made[name]), Depth: queue.Depth{Ready: q.ready[name]}})
	}
	return list, nil
}

func (q *nodeStore) ChangeBatch(_ context.Context, name string, v queue.BatchVerb) error {
	if _, ok := q.made[name]; !ok {
		return fmt.Errorf("batch %q: %w", name, queue.ErrNotFound)
	}
	if v == queue.DeleteBatch {
		delete(q.made, name)
	} else {
		q.cancelled += q.ready[name]
	}
	delete(q.ready, name)
	return nil
}

// Items are those of no batch.
func (q *nodeStore) Items(context.Context, queue.Query) (list []queue.Record, err error) {
	for i := range q.ready[""] {
		list = append(list, queue.Record{Item: queue.Item{ID: fmt.Sprint(i)}})
	}
	return list, nil
}

func (q *nodeStore) ChangeItems(_ context.Context, _ queue.ItemVerb, ids []string) ([]error, error) {
	q.ready[""] -= int64(len(ids))
	q.cancelled += int64(len(ids))
	return make([]error, len(ids)), nil
}

func (q *nodeStore) Depth(context.Context) (d queue.Depth, err error) {
	for _, n := range q.ready {
		d.Ready += n
	}
	d.Cancelled, d.Dead, d.Leased = q.cancelled, q.depth.Dead, q.depth.Leased
	return d, nil
}

func (q *nodeStore) Drop(context.Context) error {
	q.dropped = true
	return nil
}

// land is a world with nodes, and a queue for each that has or had a worker.
type land struct {
	*world
	queues map[string]*nodeStore
}

const perNode = "\n  mode: PerNode"

func newLand(t *testing.T, nodes ...string) *land {
	t.Helper()
	l := &land{world: newWorld(t, film(t, perNode)), queues: make(map[string]*nodeStore)}
	for _, name := range nodes {
		l.add(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	l.takeOver()
	return l
}

// takeOver has another coordinator go on.
func (l *land) takeOver() {
	l.restart()
	one := l.r.stores.dial
	l.r.stores.dial = func(ctx context.Context, url, name string) (*queue.Queue, error) {
		if name == "film" {
			return one(ctx, url, name)
		}
		if l.queues[name] == nil {
			l.queues[name] = &nodeStore{ready: make(map[string]int64), made: make(map[string]time.Time), now: l.r.now}
		}
		return queue.New(l.queues[name]), nil
	}
	l.r.o.Queues = func(context.Context, string) ([]string, error) {
		return append(slices.Sorted(maps.Keys(l.queues)), "film", "other"), nil
	}
}

// start has the DaemonSet have a worker on these nodes.
func (l *land) start(nodes ...string) {
	l.t.Helper()
	l.look("film")
	set := l.daemonSet()
	for _, on := range nodes {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "film-" + on, Namespace: "renders", UID: types.UID(on), CreationTimestamp: metav1.NewTime(began),
				Labels: set.Spec.Template.Labels, Annotations: set.Spec.Template.Annotations,
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "film", UID: set.UID, Controller: new(true)}}},
			Spec: set.Spec.Template.Spec,
		}
		p.Spec.NodeName = on
		containerIs(p, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
		l.add(p)
	}
	l.look("film")
}

func (l *land) daemonSet() *appsv1.DaemonSet {
	l.t.Helper()
	set := &appsv1.DaemonSet{}
	if err := l.Get(l.t.Context(), types.NamespacedName{Namespace: "renders", Name: "film"}, set); err != nil {
		l.t.Fatal(err)
	}
	if set.UID == "" { // an API server gives it one
		set.UID = "set"
		if err := l.Update(l.t.Context(), set); err != nil {
			l.t.Fatal(err)
		}
	}
	return set
}

func (l *land) remove(objects ...client.Object) {
	l.t.Helper()
	for _, o := range objects {
		if err := l.Delete(l.t.Context(), o); err != nil {
			l.t.Fatal(err)
		}
	}
}

func pod(on string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "renders", Name: "film-" + on}}
}

func aNode(name string) *corev1.Node { return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}} }

func TestTheDaemonSetOfAWorkQueue(t *testing.T) {
	l := newLand(t, "a", "b")
	l.start("a")
	set := l.daemonSet()
	c := set.Spec.Template.Spec.Containers[0]
	want := "/.sluice/sluice work film.node.$(SLUICE_NODE_NAME) film --concurrency 1 --grace 14s -- render {} --fast"
	if got := strings.Join(c.Command, " "); got != want {
		t.Errorf("command %q, want %q", got, want)
	}
	if set.Spec.UpdateStrategy.Type != appsv1.OnDeleteDaemonSetStrategyType || set.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		t.Errorf("DaemonSet %+v", set.Spec)
	}
	got := l.look("film")
	if got.Status.Workers.Live != 1 || got.Status.Workers.Running != 1 {
		t.Errorf("workers %+v, want 1", got.Status.Workers)
	}
	wantCondition(t, got, Nodes, metav1.ConditionTrue, "Present")
	l.wantJobs()
	if q := l.queues["film.node.a"]; q == nil || q.made[workload.ResidentBatch].IsZero() || l.queues["film.node.b"] != nil {
		t.Errorf("queues %v, want one of node a that is marked", l.queues)
	}

	got.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image = "newer"
	got.Generation++
	if err := l.Update(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	l.look("film")
	if image := l.daemonSet().Spec.Template.Spec.Containers[0].Image; image != "newer" {
		t.Errorf("image %s, want newer", image)
	}
}

func TestACopyOfANodeThatIsGoneIsCancelled(t *testing.T) {
	l := newLand(t, "a", "b")
	l.start("a", "b")
	q := l.queues["film.node.b"]
	q.made["caches"], q.ready["caches"], q.ready[""] = began, 2, 3
	l.queues["film.node.stranger"] = &nodeStore{ready: map[string]int64{"": 1}, made: map[string]time.Time{}, now: l.r.now}
	l.takeOver()
	l.remove(aNode("b")) // its pod is there for a while
	got := l.look("film")
	wantCondition(t, got, Nodes, metav1.ConditionFalse, "NodeGone")
	if q.cancelled != 5 || q.made[workload.GoneBatch].IsZero() || l.queues["film.node.a"].cancelled != 0 || l.queues["film.node.stranger"].ready[""] != 1 {
		t.Errorf("%d copies were cancelled, want 5: %+v", q.cancelled, l.queues)
	}
	if m := meta.FindStatusCondition(got.Status.Conditions, Nodes).Message; m != "gone: b, 5 items of which are cancelled" {
		t.Errorf("message %q", m)
	}

	q.depth.Dead = 1 // which a person has to look at
	l.at = l.at.Add(goneFor + time.Hour)
	if l.look("film"); q.dropped {
		t.Error("a queue with a dead item was dropped")
	}
	q.depth.Dead = 0
	if l.look("film"); !q.dropped {
		t.Error("the queue of a node that has been gone for a day was not dropped")
	}
}

func TestANodeThatComesBackIsOneAgain(t *testing.T) {
	l := newLand(t, "a")
	l.start("a")
	l.remove(aNode("a"))
	l.look("film")
	q := l.queues["film.node.a"]
	if q.made[workload.GoneBatch].IsZero() {
		t.Fatal("nobody saw that the node is gone")
	}
	l.add(aNode("a"))
	l.look("film")
	if _, gone := q.made[workload.GoneBatch]; gone {
		t.Error("a node that came back is taken for gone")
	}
}

// Somebody has changed its labels, or its pod is being replaced.
func TestANodeWithoutAWorkerHasTime(t *testing.T) {
	l := newLand(t, "a")
	l.start("a")
	q := l.queues["film.node.a"]
	q.made["caches"], q.ready["caches"] = began, 2
	l.remove(pod("a"))
	l.look("film")
	l.at = l.at.Add(nodePatience - time.Second)
	if l.look("film"); q.cancelled != 0 {
		t.Errorf("%d copies were cancelled too soon", q.cancelled)
	}
	l.at = l.at.Add(time.Second)
	if l.look("film"); q.cancelled != 2 {
		t.Errorf("%d copies were cancelled, want 2", q.cancelled)
	}
}

// late is a cluster of which a watch has not brought the nodes yet.
type late struct{ client.Client }

func (s late) List(ctx context.Context, l client.ObjectList, o ...client.ListOption) error {
	if _, ok := l.(*metav1.PartialObjectMetadataList); ok {
		return nil
	}
	return s.Client.List(ctx, l, o...)
}

func TestAWatchThatIsLateGivesUpNoNode(t *testing.T) {
	l := newLand(t, "a")
	l.start("a")
	q := l.queues["film.node.a"]
	q.made["caches"], q.ready["caches"] = began, 2
	l.r.Client = late{l.Client}
	if l.look("film"); q.cancelled != 0 || !q.made[workload.GoneBatch].IsZero() {
		t.Errorf("%d copies of a node that is there were cancelled", q.cancelled)
	}
}

func TestADaemonSetThatIsAStrangers(t *testing.T) {
	l := newLand(t, "a")
	l.add(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "renders", Name: "film"}})
	wantCondition(t, l.look("film"), Scaling, metav1.ConditionFalse, "NameTaken")
	if set := l.daemonSet(); len(set.Spec.Template.Spec.Containers) > 0 {
		t.Error("it was changed")
	}
}

func TestAWorkerOfANodeThatEndsAgainAndAgain(t *testing.T) {
	l := newLand(t, "a")
	l.start()
	set := l.daemonSet()
	p := pod("a")
	p.Labels, p.Annotations = set.Spec.Template.Labels, set.Spec.Template.Annotations
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "film", UID: set.UID, Controller: new(true)}}
	p.Spec.NodeName = "a"
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "render", RestartCount: 4,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}}}}
	l.add(p)
	got := l.look("film")
	wantCondition(t, got, Scaling, metav1.ConditionFalse, "CannotStart")
	if m := meta.FindStatusCondition(got.Status.Conditions, Scaling).Message; !strings.Contains(m, "node a, pod film-a, ended 4 times, last with exit code 3") {
		t.Errorf("message %q", m)
	}
}
