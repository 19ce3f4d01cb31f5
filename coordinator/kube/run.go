package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

const (
	// fieldOwner is the name under which the coordinator writes.
	fieldOwner = "sluice-coordinator"
	// leaderLease is the Lease by which replicas agree who acts.
	leaderLease = "sluice-coordinator"
	// looksAtOnce is how many WorkQueues are looked at at the same time.
	looksAtOnce = 8

	defaultIdle   = 30 * time.Second
	defaultResync = 10 * time.Second
)

// Options says how a coordinator works.
type Options struct {
	// Namespace is the one whose WorkQueues are looked after. "": all.
	Namespace string
	// Image starts sluice, and lends it to templates whose image does not have
	// it. "": that of the pod named in $SLUICE_POD_NAME, else ErrNoImage.
	Image string
	// Open opens a queue, which its store need not know yet, by the store's
	// URL. Required.
	Open func(ctx context.Context, url, name string) (*queue.Queue, error)
	// Queues lists the queues of the store with this URL. Required.
	Queues func(ctx context.Context, url string) ([]string, error)
	// Enqueue adds the items of the WorkQueue's source to a batch that is open,
	// and reports how many they were. Doing it again must be harmless.
	// Required.
	Enqueue func(ctx context.Context, q *queue.Queue, w *workload.WorkQueue, batch string) (report string, err error)

	// Idle is how long a worker has nothing to do before it is let go, and how
	// far ahead the store looks for something to come due. 0: 30 s.
	Idle time.Duration
	// Resync is the most time between two looks at a WorkQueue. 0: 10 s.
	Resync time.Duration

	// LeaderElect has one of several replicas act, by a Lease in
	// LeaderNamespace ("": that of the pod).
	LeaderElect     bool
	LeaderNamespace string
	// Metrics and Health are addresses, such as :8080, of HTTP servers with
	// /metrics, and with /healthz and /readyz. "": none.
	Metrics, Health string

	Logger *slog.Logger // nil: says nothing
}

// ErrNoImage says that no image was said, and that this is no pod with one.
var ErrNoImage = errors.New("coordinator: no image that starts sluice was said")

// Run looks after WorkQueues until ctx ends, which is no error. It ends with one
// when it cannot start or no longer leads: whoever started it starts it again.
func Run(ctx context.Context, c Cluster, o Options) error {
	if o.Open == nil || o.Queues == nil || o.Enqueue == nil {
		return errors.New("coordinator: Open, Queues and Enqueue are required")
	}
	if o.Image == "" {
		image, err := c.ownImage(ctx)
		if err != nil {
			return fmt.Errorf("coordinator: %w", err)
		}
		o.Image = image
	}
	if o.Image == "" {
		return ErrNoImage
	}
	o = o.complete()
	logger := logr.FromSlogHandler(o.Logger.Handler())
	log.SetLogger(logger)
	klog.SetLogger(logger)
	s, err := scheme()
	if err != nil {
		return err
	}
	of, err := labels.NewRequirement(labelQueue, selection.Exists, nil)
	if err != nil {
		return fmt.Errorf("coordinator: %w", err)
	}
	ours := cache.ByObject{Label: labels.NewSelector().Add(*of)}
	opts := manager.Options{
		Scheme: s, Logger: logger,
		Cache: cache.Options{
			ByObject:         map[client.Object]cache.ByObject{&batchv1.Job{}: ours, &batchv1.CronJob{}: ours, &appsv1.DaemonSet{}: ours, &corev1.Pod{}: ours},
			DefaultTransform: cache.TransformStripManagedFields(),
		},
		LeaderElection: o.LeaderElect, LeaderElectionID: leaderLease, LeaderElectionNamespace: o.LeaderNamespace,
		LeaderElectionReleaseOnCancel: true, // all that acts has ended by then
		Metrics:                       metricsserver.Options{BindAddress: orOff(o.Metrics)},
		HealthProbeBindAddress:        orOff(o.Health),
	}
	if o.Namespace != "" {
		opts.Cache.DefaultNamespaces = map[string]cache.Config{o.Namespace: {}}
	}
	m, err := manager.New(hasty(c.Config), opts)
	if err != nil {
		return fmt.Errorf("coordinator: %w", err)
	}
	r, err := control(ctx, m, o)
	if err != nil {
		return fmt.Errorf("coordinator: %w", err)
	}
	defer r.stores.close()
	if err := m.Start(ctx); err != nil {
		return fmt.Errorf("coordinator: %w", err)
	}
	return nil
}

// hasty is a client's configuration that leaves it to the API server, which is
// fair to all, how many requests are too many: by client-go's own limit a
// thousand WorkQueues would wait for each other.
func hasty(c *rest.Config) *rest.Config {
	c = rest.CopyConfig(c)
	c.QPS, c.Burst = 200, 400 // an end to what is out of hand
	return c
}

// control puts the reconciler and what wakes it into a manager.
func control(ctx context.Context, m manager.Manager, o Options) (*reconciler, error) {
	meters, err := newMeters(metrics.Registry)
	if err != nil {
		return nil, err
	}
	rings := make(chan event.TypedGenericEvent[types.NamespacedName])
	r := &reconciler{
		Client: m.GetClient(), fresh: m.GetAPIReader(), o: o, meters: meters, now: time.Now, log: o.Logger,
		events: m.GetEventRecorder(fieldOwner), kept: make(map[types.NamespacedName]*memory),
		bygone: make(map[types.NamespacedName][]gonePod),
		stores: &stores{dial: o.Open, secrets: secrets{reader: m.GetAPIReader()}, open: make(map[types.NamespacedName]*store),
			ring: func(key types.NamespacedName) {
				select {
				case rings <- event.TypedGenericEvent[types.NamespacedName]{Object: key}:
				case <-ctx.Done():
				}
			}},
	}
	err = builder.ControllerManagedBy(m).Named("workqueue").
		For(&workload.WorkQueue{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Owns(&batchv1.Job{}).
		Owns(&appsv1.DaemonSet{}).
		Owns(&batchv1.CronJob{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Pod{}, witness{handler.EnqueueRequestsFromMapFunc(func(_ context.Context, p client.Object) []reconcile.Request {
			return []reconcile.Request{{NamespacedName: workQueueOf(p)}}
		}), r}).
		WatchesRawSource(source.TypedChannel(rings, handler.TypedFuncs[types.NamespacedName, reconcile.Request]{
			GenericFunc: func(_ context.Context, e event.TypedGenericEvent[types.NamespacedName], q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
				q.Add(reconcile.Request{NamespacedName: e.Object})
			},
		})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: looksAtOnce,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, 30*time.Second),
		}).
		Complete(r)
	if err != nil {
		return nil, err
	}
	return r, errors.Join(m.AddHealthzCheck("ping", healthz.Ping), m.AddReadyzCheck("ping", healthz.Ping))
}

func (o Options) complete() Options {
	if o.Idle <= 0 {
		o.Idle = defaultIdle
	}
	if o.Resync <= 0 {
		o.Resync = defaultResync
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// orOff is an address, or what turns a server off.
func orOff(address string) string {
	if address == "" {
		return "0"
	}
	return address
}
