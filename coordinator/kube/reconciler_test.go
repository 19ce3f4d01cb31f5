package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

func TestLaunchesWhatIsMissingOnce(t *testing.T) {
	w := newWorld(t, film(t, "\n  scaling: {maxParallelism: 10}"))
	w.look("film")
	w.wantJobs()
	w.q.depth.Ready = 3
	got := w.look("film")
	w.wantJobs("film-1:3")
	if got.Status.Wave != 1 || got.Status.Workers.Live != 3 || got.Status.Depth.Ready != 3 || got.Status.ObservedGeneration != 1 {
		t.Errorf("status %+v", got.Status)
	}
	if d := got.Status.Decisions[0]; d.Did != "launched 3 as Job film-1" || !strings.Contains(d.Rule, "3 claimable") {
		t.Errorf("decision %+v", d)
	}
	w.look("film")
	w.restart()
	w.look("film")
	w.wantJobs("film-1:3")
	w.q.depth.Ready = 50
	w.look("film")
	w.wantJobs("film-1:3", "film-2:7")
	wantCondition(t, w.look("film"), Scaling, metav1.ConditionTrue, "AtMaximum")
}

// It died after it had made the Job and before it could write that down.
func TestALaunchThatWasNotWrittenDownCounts(t *testing.T) {
	q := film(t, "\n  scaling: {maxParallelism: 10}")
	w := newWorld(t, q)
	w.add(jobOf(t, q, 1, 3))
	w.q.depth.Ready = 5
	got := w.look("film")
	w.wantJobs("film-1:3", "film-2:2")
	if got.Status.Wave != 2 {
		t.Errorf("wave %d, want 2", got.Status.Wave)
	}
}

// stale is a cluster of which a watch has not brought the Jobs yet.
type stale struct{ client.Client }

func (s stale) List(ctx context.Context, l client.ObjectList, o ...client.ListOption) error {
	if _, ok := l.(*batchv1.JobList); ok {
		return nil
	}
	return s.Client.List(ctx, l, o...)
}

func TestAWatchThatIsLateLaunchesNothingTwice(t *testing.T) {
	w := newWorld(t, film(t, "\n  scaling: {maxParallelism: 10}"))
	w.r.Client = stale{w.Client}
	w.q.depth.Ready = 3
	for range 3 {
		w.look("film")
	}
	w.wantJobs("film-1:3")
}

// Another coordinator has the same thought in the same moment: it makes the Job
// between this one's look and its own making of it.
func TestTwoCoordinatorsMakeOneJob(t *testing.T) {
	q := film(t, "\n  scaling: {maxParallelism: 10}")
	w := newWorld(t, q)
	w.q.depth.Ready = 3
	w.r.Client = interceptor.NewClient(w.Client.(client.WithWatch), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := c.Create(ctx, jobOf(t, q, 1, 3)); client.IgnoreAlreadyExists(err) != nil {
				return err
			}
			return c.Create(ctx, o, opts...)
		},
	})
	w.look("film")
	w.look("film")
	w.wantJobs("film-1:3")
}

func TestAnUnknownNumberLaunchesNothing(t *testing.T) {
	w := newWorld(t, film(t, ""))
	w.q.depth.Ready, w.q.err = 3, fmt.Errorf("read: %w", queue.ErrUnavailable)
	wantCondition(t, w.look("film"), StoreReachable, metav1.ConditionFalse, "Error")
	w.wantJobs()
	w.q.err = nil
	wantCondition(t, w.look("film"), StoreReachable, metav1.ConditionTrue, "Answers")
	w.wantJobs("film-1:1")
}

func TestAStoreThatNobodySaid(t *testing.T) {
	for _, tt := range []struct{ store, want string }{
		{"\n  store: {secretRef: {name: other}}", `"other" not found`},
		{"\n  store: {secretRef: {key: uri}}", `no key "uri"`},
	} {
		w := newWorld(t, film(t, tt.store))
		w.q.depth.Ready = 3
		got := w.look("film")
		w.wantJobs()
		wantCondition(t, got, StoreReachable, metav1.ConditionFalse, "Error")
		if m := got.Status.Conditions[1].Message; !strings.Contains(m, tt.want) {
			t.Errorf("message %q, want %q in it", m, tt.want)
		}
	}
}

func TestTwoWorkQueuesOfOneQueue(t *testing.T) {
	other := film(t, "\n  queue: film")
	other.Name, other.UID = "other", "9876543210"
	w := newWorld(t, film(t, ""), other)
	w.look("film")
	got := w.look("other")
	wantCondition(t, got, StoreReachable, metav1.ConditionFalse, "Error")
	if m := got.Status.Conditions[1].Message; !strings.Contains(m, "renders/film") {
		t.Errorf("message %q does not name the other", m)
	}
}

func TestQuotaHoldsLaunchesBack(t *testing.T) {
	w := newWorld(t, film(t, ""))
	w.q.depth.Ready = 3
	w.r.Client = interceptor.NewClient(w.Client.(client.WithWatch), interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
			return apierrors.NewForbidden(schema.GroupResource{Group: "batch", Resource: "jobs"}, "film-1", errors.New("exceeded quota"))
		},
	})
	wantCondition(t, w.look("film"), Scaling, metav1.ConditionFalse, "Forbidden")
}

func TestAFaultySpecLaunchesNothingAndTendsToTheRest(t *testing.T) {
	q := film(t, "")
	j := jobOf(t, q, 1, 1)
	p := exit(podOf(j, "a", running), 1, "Error")
	q.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Command = nil
	w := newWorld(t, q, j, p)
	w.q.depth.Ready, w.q.workers = 9, []queue.WorkerInfo{infoOf(p, 1)}
	wantCondition(t, w.look("film"), Accepted, metav1.ConditionFalse, "Invalid")
	w.wantJobs("film-1:1")
	if !slices.Equal(w.q.expired, []string{workerOf(p)}) {
		t.Errorf("expired %v", w.q.expired)
	}
}

func TestIdleWorkersAreLetGoButForTheMinimum(t *testing.T) {
	q := film(t, "\n  scaling: {minParallelism: 1, maxParallelism: 4}")
	j := jobOf(t, q, 1, 4)
	w := newWorld(t, q, j)
	for _, name := range []string{"a", "b", "c", "d"} {
		p := podOf(j, name, running)
		w.add(p)
		leases := 0
		if name == "d" {
			leases = 1
		}
		w.q.workers = append(w.q.workers, infoOf(p, leases))
	}
	w.q.depth.Leased = 1
	w.look("film")
	w.at = began.Add(29 * time.Second)
	w.look("film")
	if len(w.q.left) > 0 {
		t.Fatalf("let go %v after 29 s", w.q.left)
	}
	w.at = began.Add(30 * time.Second)
	w.q.refuse = true // something came due
	w.look("film")
	w.q.refuse = false
	w.q.depth.Ready = 1
	w.look("film")
	if len(w.q.left) > 0 {
		t.Fatalf("let go %v while there was work", w.q.left)
	}
	w.q.depth.Ready = 0
	w.look("film")
	if len(w.q.left) != 3 || slices.Contains(w.q.left, workerOf(podOf(j, "d", running))) {
		t.Errorf("let go %v, want the three idle ones", w.q.left)
	}
}

func TestOnlyWhatHasNotBegunIsWithdrawn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		stage  stage
		change func(*workload.WorkQueue, *corev1.Pod)
		after  time.Duration
		gone   bool
	}{
		{"unbound and not needed", pending, nil, time.Minute, true},
		{"unbound, for now", pending, nil, 10 * time.Second, false},
		{"bound", starting, nil, time.Minute, false},
		{"running", running, nil, time.Minute, false},
		{"unbound, of an older template", pending, newImage, 0, true},
		{"bound, of an older template", starting, newImage, 0, false},
		{"without its image, of an older template", starting, func(w *workload.WorkQueue, p *corev1.Pod) {
			newImage(w, p)
			containerIs(p, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}})
		}, 0, true},
		{"running, of an older template", running, newImage, time.Minute, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := film(t, "")
			j := jobOf(t, q, 1, 1)
			p := podOf(j, "a", tt.stage)
			if tt.change != nil {
				tt.change(q, p)
			}
			w := newWorld(t, q, j, p)
			w.at = began.Add(tt.after)
			w.look("film")
			if tt.gone {
				w.wantJobs()
			} else {
				w.wantJobs("film-1:1")
			}
		})
	}
}

func newImage(w *workload.WorkQueue, _ *corev1.Pod) {
	w.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image = "blender:5"
}

// A pod was bound to a node after the watch brought the last news of it.
func TestAJobThatHasBegunMeanwhileIsNotWithdrawn(t *testing.T) {
	q := film(t, "")
	j := jobOf(t, q, 1, 1)
	w := newWorld(t, q, j)
	w.r.Client = interceptor.NewClient(w.Client.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, o ...client.ListOption) error {
			if pods, ok := l.(*corev1.PodList); ok {
				pods.Items = []corev1.Pod{*podOf(j, "a", pending)}
				return nil
			}
			return c.List(ctx, l, o...)
		},
	})
	w.add(podOf(j, "a", starting))
	w.at = began.Add(time.Minute)
	w.look("film")
	w.wantJobs("film-1:1")
}

func TestSuspendIsToldToTheQueueOnce(t *testing.T) {
	w := newWorld(t, film(t, "\n  suspend: true\n  scaling: {minParallelism: 2, maxParallelism: 2}"))
	w.look("film")
	q := w.look("film")
	w.wantJobs()
	q.Spec.Suspend, q.Generation = nil, 2
	if err := w.Update(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	w.look("film")
	w.look("film")
	w.wantJobs("film-1:2")
	if !slices.Equal(w.q.paused, []bool{true, false}) {
		t.Errorf("the queue was told %v, want once each", w.q.paused)
	}
}

func TestAPolicyThatOthersStatedIsNotOverwritten(t *testing.T) {
	w := newWorld(t, film(t, "\n  itemPolicy: {lease: 5s}"))
	w.q.policy = &queue.PolicyConflict{Field: "lease", InForce: "30s", Stated: "5s"}
	refused := w.look("film")
	wantCondition(t, refused, Accepted, metav1.ConditionFalse, "PolicyConflict")
	if again := w.look("film"); again.ResourceVersion != refused.ResourceVersion {
		t.Error("the same refusal was written down twice")
	}
	w.q.policy = nil
	q := w.look("film")
	wantCondition(t, q, Accepted, metav1.ConditionTrue, "Valid")
	if q.Status.Policy == nil || q.Status.Policy.Lease.Duration != 5*time.Second {
		t.Errorf("status.policy %+v", q.Status.Policy)
	}
}

func TestASourceIsEnqueuedOnceAndAfterTheOther(t *testing.T) {
	first := film(t, "\n  source: {list: [a, b]}")
	first.Name, first.UID = "first", "1111111111"
	second := film(t, "\n  source: {list: [a, b]}\n  deadlineSeconds: 60")
	second.Name = "second"
	second.Spec.After = "first"
	w := newWorld(t, first, second)
	wantCondition(t, w.look("second"), Enqueued, metav1.ConditionFalse, "Waiting")
	wantCondition(t, w.look("first"), Enqueued, metav1.ConditionTrue, "Enqueued")
	w.look("first")
	w.q.batches = []queue.BatchInfo{{Name: "first-11111111", Sealed: true, Depth: queue.Depth{Done: 2}}}
	w.at = began.Add(time.Minute)
	wantCondition(t, w.look("first"), Complete, metav1.ConditionTrue, "Complete")
	wantCondition(t, w.look("second"), Enqueued, metav1.ConditionTrue, "Enqueued")
	q := w.look("second")
	q.Spec.Source.List = []string{"c"}
	if err := w.Update(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	wantCondition(t, w.look("second"), Enqueued, metav1.ConditionTrue, "SourceChanged")
	if len(w.q.opened) != 2 || w.q.opened[1].Name != "second-01234567" || w.q.opened[1].Deadline != time.Minute {
		t.Errorf("opened %+v", w.q.opened)
	}
}

func TestNothingNewIsNotWrittenDown(t *testing.T) {
	w := newWorld(t, film(t, ""))
	was := w.look("film").ResourceVersion
	w.at = w.at.Add(time.Hour)
	if now := w.look("film").ResourceVersion; now != was {
		t.Error("a look at which nothing was new has written a status")
	}
	w.q.depth.Done = 5
	if now := w.look("film").ResourceVersion; now == was {
		t.Error("numbers were not written down after an hour")
	}
	was = w.look("film").ResourceVersion
	w.q.depth.Done = 6
	if now := w.look("film").ResourceVersion; now != was {
		t.Error("numbers were written down at once")
	}
}
