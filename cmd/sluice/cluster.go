package main

import (
	"github.com/spf13/pflag"

	"sluice.dev/coordinator/kube"
)

// clusterFlags say which cluster and namespace is meant, as kubectl's do.
type clusterFlags struct {
	kubeconfig, kubeContext, namespace string
}

func (f *clusterFlags) register(fs *pflag.FlagSet, help, namespace string) {
	fs.StringVarP(&f.namespace, "namespace", "n", namespace, help)
	fs.StringVar(&f.kubeconfig, "kubeconfig", "", "`FILE` that says how to reach the cluster (default: $KUBECONFIG, the pod's service account, ~/.kube/config)")
	fs.StringVar(&f.kubeContext, "kube-context", "", "`NAME` of a context of that file (default: its current one)")
}

func (f *clusterFlags) find() (kube.Cluster, error) {
	c, err := kube.Find(f.kubeconfig, f.kubeContext)
	if err != nil {
		return c, usage(err)
	}
	return c, nil
}
