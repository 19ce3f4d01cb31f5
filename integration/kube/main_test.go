// Package kube_test runs the plain batch objects on real controllers, with pods
// that really run, and compares what "sluice run -f" makes of them.
package kube_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"sluice.dev/integration/kube/cluster"
	"sluice.dev/integration/kube/node"
)

// kube is the cluster of all tests, each in a namespace of its own.
var kube *cluster.Cluster

func TestMain(m *testing.M) {
	node.Main()
	if os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		os.Exit(inPod())
	}
	if dir := os.Getenv(standIn); dir != "" {
		if err := startAndWait(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	code := cluster.Run(m, cluster.Options{}, func(ctx context.Context, c *cluster.Cluster) error {
		kube = c
		self, err := os.Executable()
		if err != nil {
			return err
		}
		for _, name := range []string{"node1", "node2"} {
			if _, err := c.StartNode(ctx, node.Options{Name: name, Images: map[string]string{"this-test": self}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
