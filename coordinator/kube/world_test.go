package kube

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

// fakeQueue is what a coordinator needs of a queue.
type fakeQueue struct {
	queue.Driver
	depth   queue.Depth
	err     error // of every read
	workers []queue.WorkerInfo
	refuse  bool // to let anybody go
	policy  error

	expired, left []string
	failures      []queue.Failure
	paused        []bool
	stated        []queue.Policy
	batches       []queue.BatchInfo
	opened        []queue.Batch
}

func (q *fakeQueue) Depth(context.Context) (queue.Depth, error)          { return q.depth, q.err }
func (q *fakeQueue) Workers(context.Context) ([]queue.WorkerInfo, error) { return q.workers, q.err }
func (q *fakeQueue) Batches(context.Context) ([]queue.BatchInfo, error)  { return q.batches, q.err }
func (q *fakeQueue) Seal(context.Context, string) error                  { return q.err }
func (q *fakeQueue) Close() error                                        { return nil }
func (q *fakeQueue) Watch(ctx context.Context, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}
func (q *fakeQueue) Expire(_ context.Context, worker string, f queue.Failure) (int, error) {
	q.expired = append(q.expired, worker)
	q.failures = append(q.failures, f)
	return 1, nil
}
func (q *fakeQueue) Leave(_ context.Context, worker string, _ time.Duration) (bool, error) {
	if !q.refuse {
		q.left = append(q.left, worker)
	}
	return !q.refuse, nil
}
func (q *fakeQueue) Pause(_ context.Context, paused bool) error {
	q.paused = append(q.paused, paused)
	return nil
}
func (q *fakeQueue) SetPolicy(_ context.Context, p queue.Policy, force bool) (queue.Policy, error) {
	if q.policy != nil && !force {
		return queue.Policy{}, q.policy
	}
	q.stated = append(q.stated, p)
	return p, nil
}
func (q *fakeQueue) OpenBatch(_ context.Context, b queue.Batch) error {
	q.opened = append(q.opened, b)
	return nil
}

// world is a cluster and a store, and the coordinator that looks at them.
type world struct {
	t *testing.T
	client.Client
	q     *fakeQueue
	at    time.Time
	r     *reconciler
	dials int
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	s, err := scheme()
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "renders", Name: workload.DefaultStoreSecret},
		Data: map[string][]byte{"url": []byte("redis://store:6379/0\n")}}
	c := fake.NewClientBuilder().WithScheme(s).WithStatusSubresource(&workload.WorkQueue{}).WithObjects(append(objects, secret)...).
		WithIndex(&corev1.Event{}, "involvedObject.uid", func(o client.Object) []string {
			return []string{string(o.(*corev1.Event).InvolvedObject.UID)}
		}).Build()
	w := &world{t: t, Client: c, q: &fakeQueue{depth: queue.Depth{NextDue: -1}}, at: began}
	w.restart()
	return w
}

// restart has another coordinator take over, which remembers nothing.
func (w *world) restart() {
	w.t.Helper()
	meters, err := newMeters(prometheus.NewRegistry())
	if err != nil {
		w.t.Fatal(err)
	}
	r := &reconciler{Client: w, fresh: w.Client, meters: meters, log: slog.New(slog.DiscardHandler), now: func() time.Time { return w.at },
		events: events.NewFakeRecorder(100), kept: make(map[types.NamespacedName]*memory),
		bygone: make(map[types.NamespacedName][]gonePod),
		o: Options{Image: "sluice", Enqueue: func(_ context.Context, _ *queue.Queue, _ *workload.WorkQueue, batch string) (string, error) {
			return "9 items", nil
		}}.complete()}
	r.stores = &stores{secrets: secrets{reader: w.Client}, open: make(map[types.NamespacedName]*store), ring: func(types.NamespacedName) {},
		dial: func(_ context.Context, url, name string) (*queue.Queue, error) {
			w.dials++
			if url != "redis://store:6379/0" {
				return nil, fmt.Errorf("dialled %s", url)
			}
			return queue.New(w.q), nil
		}}
	w.t.Cleanup(r.stores.close)
	w.r = r
}

// look looks once at a WorkQueue and returns it as it is then.
func (w *world) look(name string) *workload.WorkQueue {
	w.t.Helper()
	key := types.NamespacedName{Namespace: "renders", Name: name}
	if _, err := w.r.Reconcile(w.t.Context(), reconcile.Request{NamespacedName: key}); err != nil {
		w.t.Fatal(err)
	}
	var q workload.WorkQueue
	if err := w.Get(w.t.Context(), key, &q); err != nil {
		w.t.Fatal(err)
	}
	return &q
}

// jobs are the names of the Jobs there are, and their sizes.
func (w *world) jobs() (names []string) {
	w.t.Helper()
	var list batchv1.JobList
	if err := w.List(w.t.Context(), &list); err != nil {
		w.t.Fatal(err)
	}
	for _, j := range list.Items {
		names = append(names, fmt.Sprintf("%s:%d", j.Name, *j.Spec.Parallelism))
	}
	slices.Sort(names)
	return names
}

func (w *world) wantJobs(want ...string) {
	w.t.Helper()
	if got := w.jobs(); !slices.Equal(got, want) {
		w.t.Errorf("Jobs %v, want %v", got, want)
	}
}

// add puts objects into the cluster.
func (w *world) add(objects ...client.Object) {
	w.t.Helper()
	for _, o := range objects {
		if err := w.Create(w.t.Context(), o); err != nil {
			w.t.Fatal(err)
		}
	}
}

// wantCondition checks a condition's status and reason.
func wantCondition(t *testing.T, w *workload.WorkQueue, kind string, status metav1.ConditionStatus, reason string) {
	t.Helper()
	c := meta.FindStatusCondition(w.Status.Conditions, kind)
	if c == nil || c.Status != status || c.Reason != reason {
		t.Errorf("condition %s is %+v, want %s, %s", kind, c, status, reason)
	}
}
