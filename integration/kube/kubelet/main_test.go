//go:build kubelet

// Package kubelet_test runs workers in images, by a real kubelet.
package kubelet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"sluice.dev/integration/kube/cluster"
	"sluice.dev/integration/kube/kubelet"
)

const (
	repository = "../../.."
	manifests  = repository + "/manifests"
	// account is the ServiceAccount of manifests/base.
	account = "system:serviceaccount:sluice-system:sluice-coordinator"

	sluiceImage  = "sluice:test"
	foreignImage = "foreign:1"
)

var (
	kube    *cluster.Cluster
	node    *kubelet.Node
	objects dynamic.Interface
	program string        // sluice
	sluice  kubelet.Image // as its Dockerfile says
)

var workQueues = schema.GroupVersionResource{Group: "sluice.dev", Version: "v1alpha1", Resource: "workqueues"}

func TestMain(m *testing.M) {
	kubelet.Main()
	code := cluster.Run(m, cluster.Options{NodeGrace: time.Minute}, start)
	if node != nil {
		if err := errors.Join(node.Stop(), kubelet.Leftovers(), goleak.Find()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// start makes the images, the node and a coordinator for all namespaces.
func start(ctx context.Context, c *cluster.Cluster) (err error) {
	kube = c
	if objects, err = dynamic.NewForConfig(c.Config()); err != nil {
		return err
	}
	bin := filepath.Join(c.Dir(), "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	if sluice, err = kubelet.Dockerfile(ctx, manifests+"/Dockerfile", repository, bin, sluiceImage); err != nil {
		return err
	}
	program = filepath.Join(bin, "sluice")
	foreign := filepath.Join(bin, "foreign")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", foreign, "./foreign")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build foreign: %s", out)
	}
	began := time.Now()
	if node, err = kubelet.Start(ctx, c, sluice, kubelet.Image{Name: foreignImage, Files: map[string]string{"/foreign": foreign}}); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "the node was ready after %s\n", time.Since(began).Round(100*time.Millisecond))
	base := filepath.Join(manifests, "base")
	if err := c.Create(ctx, filepath.Join(base, "namespace.yaml"), filepath.Join(base, "workqueues.yaml"), filepath.Join(base, "rbac.yaml")); err != nil {
		return err
	}
	err = eventually(ctx, func(ctx context.Context) error { // the API server learns of WorkQueues
		_, err := objects.Resource(workQueues).Namespace("default").List(ctx, metav1.ListOptions{})
		return err
	})
	if err != nil {
		return err
	}
	if err := startStore(ctx); err != nil {
		return err
	}
	return coordinate()
}

// coordinate starts a coordinator for all namespaces.
func coordinate() error {
	config := filepath.Join(kube.Dir(), "coordinator.kubeconfig")
	if err := kube.WriteKubeconfig(config, account, "system:serviceaccounts", "system:serviceaccounts:sluice-system", "system:authenticated"); err != nil {
		return err
	}
	return node.Run("coordinator", program, "coordinate", "--kubeconfig", config, "--image", sluiceImage, "--idle", "3s")
}
