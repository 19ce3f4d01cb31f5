package kube

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// maxGone bounds how many pods of a WorkQueue are kept that are gone.
const maxGone = 100

// gonePod is a pod that the API server has no more, as it was last. Pods of a
// DaemonSet that fail are gone before a look finds out how they ended.
type gonePod struct {
	*corev1.Pod
	at time.Time // of its end
}

// witness is a handler of pods' events that keeps those which are gone.
type witness struct {
	handler.EventHandler
	r *reconciler
}

func (w witness) Delete(ctx context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	if p, ok := e.Object.(*corev1.Pod); ok {
		w.r.bequeath(p)
	}
	w.EventHandler.Delete(ctx, e, q)
}

// bequeath keeps a pod that is gone, if it says what nobody may know yet: what
// disturbed it, or which worker has ended with its container.
func (r *reconciler) bequeath(p *corev1.Pod) {
	if _, named := namedBy(p); !named && disturbanceOf(p) == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := workQueueOf(p)
	list := append(r.bygone[key], gonePod{p, r.now()})
	r.bygone[key] = list[max(0, len(list)-maxGone):]
}

// lately are the pods that are gone since not long ago.
func (r *reconciler) lately(key types.NamespacedName, now time.Time) []gonePod {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.DeleteFunc(r.bygone[key], func(g gonePod) bool { return now.Sub(g.at) >= recent })
	if len(list) == 0 {
		delete(r.bygone, key)
	} else {
		r.bygone[key] = list
	}
	return slices.Clone(list)
}

// workQueueOf is the WorkQueue whose worker a pod is.
func workQueueOf(p client.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: p.GetNamespace(), Name: p.GetLabels()[labelQueue]}
}
