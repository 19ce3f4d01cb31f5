package kube

import (
	"context"
	"errors"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgo "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/manifests/workload"
)

// podVar has the name of the coordinator's own pod.
const podVar = "SLUICE_POD_NAME"

// Cluster is how to reach one.
type Cluster struct {
	Config    *rest.Config
	Namespace string // that is meant when none is said
}

// Find finds the cluster as kubectl does: by the file, $KUBECONFIG, the service
// account of the pod that this runs in, or ~/.kube/config; and in a file by the
// context of that name, or its current one.
func Find(file, contextName string) (Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = file
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: contextName})
	cfg, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return Cluster{}, errors.New("no cluster is known: no kubeconfig says one, and this is no pod")
	}
	if err != nil {
		return Cluster{}, fmt.Errorf("kubeconfig: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return Cluster{}, fmt.Errorf("kubeconfig: %w", err)
	}
	return Cluster{Config: cfg, Namespace: namespace}, nil
}

// client is one without a cache.
func (c Cluster) client() (client.Client, error) {
	s, err := scheme()
	if err != nil {
		return nil, err
	}
	return client.New(c.Config, client.Options{Scheme: s})
}

// ErrNotFound says that there is no WorkQueue of that name.
var ErrNotFound = errors.New("no such WorkQueue")

// WorkQueue reads a WorkQueue, of the namespace that is meant if none is said.
// The error is ErrNotFound if there is none of that name.
func (c Cluster) WorkQueue(ctx context.Context, namespace, name string) (*workload.WorkQueue, error) {
	if namespace == "" {
		namespace = c.Namespace
	}
	api, err := c.client()
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	w := &workload.WorkQueue{}
	err = api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, w)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("%w: %s/%s", ErrNotFound, namespace, name)
	}
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return w, nil
}

// ownImage is the image of the pod that this runs in, so that it need not be said
// twice, and "" outside of a pod.
func (c Cluster) ownImage(ctx context.Context) (string, error) {
	name := os.Getenv(podVar)
	if name == "" {
		return "", nil
	}
	api, err := c.client()
	if err != nil {
		return "", err
	}
	var p corev1.Pod
	if err := api.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, &p); err != nil {
		return "", fmt.Errorf("read its own pod, named by $%s: %w", podVar, err)
	}
	return p.Spec.Containers[0].Image, nil
}

// scheme knows WorkQueues and what Kubernetes itself has.
func scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := clientgo.AddToScheme(s); err != nil {
		return nil, err
	}
	group, err := schema.ParseGroupVersion(workload.APIVersion)
	if err != nil {
		return nil, err
	}
	s.AddKnownTypes(group, &workload.WorkQueue{}, &workload.WorkQueueList{})
	metav1.AddToGroupVersion(s, group)
	return s, nil
}
