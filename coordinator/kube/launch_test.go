package kube

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"sluice.dev/queue"
)

// Somebody else writes the WorkQueue while a look launches.
func TestALaunchIsToldThoughTheStatusWasWrittenMeanwhile(t *testing.T) {
	w := newWorld(t, film(t, "\n  scaling: {maxParallelism: 10}"))
	w.q.depth.Ready = 3
	refusals := 2
	w.r.Client = interceptor.NewClient(w.Client.(client.WithWatch), interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			if refusals--; refusals >= 0 {
				return apierrors.NewConflict(schema.GroupResource{Resource: "workqueues"}, o.GetName(), errors.New("changed"))
			}
			return c.SubResource(sub).Update(ctx, o, opts...)
		},
	})
	for range 4 {
		w.at = w.at.Add(time.Second)
		got := w.look("film")
		if refusals >= 0 {
			continue
		}
		told := 0
		for _, d := range got.Status.Decisions {
			if d.Did == "launched 3 as Job film-1" {
				told++
			}
		}
		if told != 1 {
			t.Errorf("the launch is told %d times, want once: %+v", told, got.Status.Decisions)
		}
	}
	w.wantJobs("film-1:3")
}

// A node dies with an idle worker, and then an item comes. Before that the store
// was away for long, and had heard of nobody.
func TestAWorkerThatIsLostIsNotWaitedFor(t *testing.T) {
	q := film(t, "\n  scaling: {maxParallelism: 2}")
	j := jobOf(t, q, 1, 1)
	p := podOf(j, "a", running)
	w := newWorld(t, q, j, p)
	w.q.err = queue.ErrUnavailable
	w.look("film")
	w.q.err, w.q.depth.Ready = nil, 1
	for _, want := range [][]string{{"film-1:1"}, {"film-1:1"}, {"film-1:1", "film-2:1"}} {
		info := infoOf(p, 0)
		info.Seen = 10 * time.Minute
		w.q.workers = []queue.WorkerInfo{info}
		w.look("film")
		w.wantJobs(want...)
		w.at = w.at.Add(silence/2 + time.Second)
	}
}

// A node dies with all workers, and is not heard of when their time to end is over.
func TestWorkersThatAreLostAreReplaced(t *testing.T) {
	q := film(t, "\n  scaling: {maxParallelism: 1}")
	q.Status.Wave = 1
	j := jobOf(t, q, 1, 2)
	p, begins := podOf(j, "a", running), podOf(j, "b", starting)
	for _, p := range []*corev1.Pod{p, begins} {
		p.DeletionTimestamp, p.Finalizers = new(metav1.NewTime(began.Add(2*silence))), []string{"batch.kubernetes.io/job-tracking"}
	}
	w := newWorld(t, q, j, p, begins)
	w.q.depth.Ready = 1
	info := infoOf(p, 0)
	info.Seen = time.Hour
	for _, want := range [][]string{{"film-1:2"}, {"film-1:2"}, {}, {"film-2:1"}} {
		w.q.workers = []queue.WorkerInfo{info}
		w.look("film")
		w.wantJobs(want...)
		w.at = w.at.Add(silence + time.Second)
	}
}
