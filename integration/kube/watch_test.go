package kube_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// podWatch sees every pod of a namespace, those too that are deleted later.
type podWatch struct {
	mu   sync.Mutex
	last map[string]*corev1.Pod // by name, as each was last seen
	most int                    // how many there were at once that had not ended
}

// watchPods watches a namespace in which there are no pods yet.
func watchPods(t *testing.T, namespace string) *podWatch {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w, err := kube.Client().CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	pw := &podWatch{last: map[string]*corev1.Pod{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for e := range w.ResultChan() {
			pw.see(e)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return pw
}

func (w *podWatch) see(e watch.Event) {
	p, ok := e.Object.(*corev1.Pod)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last[p.Name] = p
	active := 0
	for _, p := range w.last {
		if !podEnded(p) {
			active++
		}
	}
	w.most = max(w.most, active)
}

// pods are all that were ever seen, the oldest first.
func (w *podWatch) pods() []*corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Values(w.last), func(a, b *corev1.Pod) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
}

// mostAtOnce is how many pods there were at once that had not ended.
func (w *podWatch) mostAtOnce() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most
}

func podEnded(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}
