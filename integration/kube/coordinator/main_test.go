// Package coordinator_test runs the coordinator on real controllers, with the
// rights that its manifests give it, and workers that really work.
package coordinator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"sluice.dev/integration/kube/cluster"
	"sluice.dev/integration/kube/node"
)

const (
	manifests = "../../../manifests"
	// account is the ServiceAccount of manifests/base.
	account = "system:serviceaccount:sluice-system:sluice-coordinator"
	// image is what workers get sluice from.
	image = "sluice:test"
)

var (
	kube    *cluster.Cluster
	objects dynamic.Interface
	program string // sluice
	config  string // kubeconfig of the account
)

func TestMain(m *testing.M) {
	node.Main()
	os.Exit(cluster.Run(m, cluster.Options{}, func(ctx context.Context, c *cluster.Cluster) (err error) {
		kube = c
		program = filepath.Join(c.Dir(), "bin", "sluice")
		if out, err := exec.CommandContext(ctx, "go", "build", "-C", "../../..", "-o", program, "./cmd/sluice").CombinedOutput(); err != nil {
			return fmt.Errorf("build sluice: %s", out)
		}
		for _, name := range []string{"node1", "node2"} {
			_, err := c.StartNode(ctx, node.Options{Name: name, Images: map[string]string{image: program, natsImage: natsProgram()},
				Capacity: map[corev1.ResourceName]string{corev1.ResourceCPU: "8"}})
			if err != nil {
				return err
			}
		}
		if objects, err = dynamic.NewForConfig(c.Config()); err != nil {
			return err
		}
		for _, name := range []string{"namespace", "workqueues", "rbac"} {
			if err := applyFile(ctx, filepath.Join(manifests, "base", name+".yaml")); err != nil {
				return err
			}
		}
		if err := served(ctx); err != nil {
			return err
		}
		config = filepath.Join(c.Dir(), "coordinator.kubeconfig")
		return c.WriteKubeconfig(config, account, "system:serviceaccounts", "system:serviceaccounts:sluice-system", "system:authenticated")
	}))
}

// applyFile makes the objects of a file.
func applyFile(ctx context.Context, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(kube.Client().Discovery()))
	d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		if err := d.Decode(o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if len(o.Object) == 0 {
			continue
		}
		m, err := mapper.RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		_, err = objects.Resource(m.Resource).Namespace(o.GetNamespace()).Create(ctx, o, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("%s: %s %s: %w", name, o.GetKind(), o.GetName(), err)
		}
	}
}

// served waits until the API server knows WorkQueues.
func served(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		_, err := objects.Resource(workQueues).Namespace("default").List(ctx, metav1.ListOptions{})
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("WorkQueues: %w", err)
		}
	}
}

var workQueues = schema.GroupVersionResource{Group: "sluice.dev", Version: "v1alpha1", Resource: "workqueues"}

// until waits for what should be so soon.
func until(t *testing.T, most time.Duration, condition func(context.Context) error) {
	t.Helper()
	kube.Until(t, most, condition)
}
