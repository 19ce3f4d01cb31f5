package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

type node struct {
	Options
	log    *slog.Logger
	client kubernetes.Interface
	api    *net.TCPAddr // what pods find the API server by
	ctx    context.Context

	mu      sync.Mutex
	pods    map[types.UID]*pod
	running sync.WaitGroup // pods
}

// Run is a node until ctx ends. Then it kills its pods, as a power cut would,
// without telling anybody, and returns when they are gone.
func Run(ctx context.Context, o Options, log *slog.Logger) error {
	n := &node{Options: o, log: log, ctx: ctx, pods: map[types.UID]*pod{}}
	if err := canIsolate(); err != nil {
		return err
	}
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		return err
	}
	if err := n.connect(); err != nil {
		return err
	}
	logs, err := newLogServer(n)
	if err != nil {
		return err
	}
	defer logs.close()
	if err := n.register(ctx, logs.port); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { n.heartbeat(ctx, logs.port) })
	factory, err := n.watch()
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	log.Info("ready", "node", n.Name)
	<-ctx.Done()
	factory.Shutdown() // no new pods
	n.running.Wait()
	return nil
}

func (n *node) connect() error {
	config, err := clientcmd.BuildConfigFromFlags("", n.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 500, 1000
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if n.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	base := n.client.CoreV1().RESTClient().Get().URL()
	n.api, err = net.ResolveTCPAddr("tcp", base.Host)
	return err
}

// watch follows the pods that are bound to this node.
func (n *node) watch() (informers.SharedInformerFactory, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(n.client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", n.Name).String()
	}))
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { n.sync(o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { n.sync(o.(*corev1.Pod)) },
		DeleteFunc: func(o any) {
			if d, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = d.Obj
			}
			n.gone(o.(*corev1.Pod).UID)
		},
	})
	return factory, err
}

// sync starts what is new and stops what is to be deleted.
func (n *node) sync(object *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return
	}
	p := n.pods[object.UID]
	if p == nil {
		p = newPod(n, object)
		n.pods[object.UID] = p
		n.running.Go(p.live)
	} else if p.contradicts(object) {
		n.running.Go(func() { p.report(nil) })
	}
	if object.DeletionTimestamp != nil {
		var grace time.Duration
		if s := object.DeletionGracePeriodSeconds; s != nil {
			grace = time.Duration(*s) * time.Second
		}
		p.delete(grace)
	}
}

// gone is for a pod that is no more, though this node had not let it go: it was
// deleted by force.
func (n *node) gone(uid types.UID) {
	n.mu.Lock()
	p := n.pods[uid]
	delete(n.pods, uid)
	n.mu.Unlock()
	if p != nil {
		p.delete(0)
	}
}

// find is for logs.
func (n *node) find(namespace, name string) *pod {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pods {
		if p.object.Namespace == namespace && p.object.Name == name {
			return p
		}
	}
	return nil
}
