// Package coordinator_test runs the coordinator on real controllers, with the
// rights that its manifests give it, and workers that really work.
package coordinator_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

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
			_, err := c.StartNode(ctx, node.Options{Name: name, Images: map[string]string{image: program, natsImage: natsPath()},
				Capacity: map[corev1.ResourceName]string{corev1.ResourceCPU: "8"}})
			if err != nil {
				return err
			}
		}
		if objects, err = dynamic.NewForConfig(c.Config()); err != nil {
			return err
		}
		base := filepath.Join(manifests, "base")
		if err := c.Create(ctx, filepath.Join(base, "namespace.yaml"), filepath.Join(base, "workqueues.yaml"), filepath.Join(base, "rbac.yaml")); err != nil {
			return err
		}
		if err := served(ctx); err != nil {
			return err
		}
		config = filepath.Join(c.Dir(), "coordinator.kubeconfig")
		return c.WriteKubeconfig(config, account, "system:serviceaccounts", "system:serviceaccounts:sluice-system", "system:authenticated")
	}))
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
