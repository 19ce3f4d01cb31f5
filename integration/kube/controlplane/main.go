// controlplane is one program that is etcd, kube-apiserver,
// kube-controller-manager or kube-scheduler, by its first argument: Kubernetes
// as released, built from its modules.
//
// It is a module of its own because k8s.io/kubernetes takes its staging modules
// by replacement, which a module that others depend on cannot do.
package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	"k8s.io/kubernetes/pkg/controller/job"
)

func main() { os.Exit(run()) }

func run() int {
	if len(os.Args) < 2 {
		return fail("one of etcd, kube-apiserver, kube-controller-manager and kube-scheduler is needed")
	}
	os.Args = os.Args[1:]
	if err := tune(); err != nil {
		return fail("%v", err)
	}
	if os.Getenv("CONTROLPLANE_LIFELINE") != "" {
		go followParent()
	}
	var cmd *cobra.Command
	switch name := os.Args[0]; name {
	case "etcd":
		etcdmain.Main(os.Args)
		return 0
	case "kube-apiserver":
		cmd = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		cmd = controllers.NewControllerManagerCommand()
	case "kube-scheduler":
		cmd = scheduler.NewSchedulerCommand()
	default:
		return fail("%q: etcd, kube-apiserver, kube-controller-manager or kube-scheduler is allowed", name)
	}
	return cli.Run(cmd)
}

func fail(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "controlplane: "+format+"\n", args...)
	return 2
}

// tune sets two periods of the Job controller which it has no flags for: a test
// need not wait 10 s, 20 s, 40 s ... before a failed pod is replaced.
func tune() error {
	for name, period := range map[string]*time.Duration{
		"JOB_POD_FAILURE_BACKOFF": &job.DefaultJobPodFailureBackOff,
		"JOB_SYNC_BATCH_PERIOD":   &job.SyncJobBatchPeriod,
	} {
		value, set := os.LookupEnv(name)
		if !set {
			continue
		}
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return fmt.Errorf("%s=%q: a duration above 0 is allowed, such as 100ms", name, value)
		}
		*period = d
	}
	return nil
}

// followParent ends this process with the one that started it, however that
// ended: standard input is a pipe which the parent holds and never writes into.
func followParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}
