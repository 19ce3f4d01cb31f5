package main

import (
	"context"
	"errors"
	"log/slog"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/coordinator/kube"
	"sluice.dev/manifests/workload"
	"sluice.dev/producer"
	"sluice.dev/queue"
	"sluice.dev/worker/template"
)

// coordinateFlags are what "sluice coordinate" was told.
type coordinateFlags struct {
	clusterFlags
	image           string
	idle            time.Duration
	leaderElect     bool
	metrics, health string
}

func coordinateCommand() *cobra.Command {
	f := &coordinateFlags{idle: 30 * time.Second}
	cmd := &cobra.Command{
		Use:   "coordinate",
		Short: "Look after the WorkQueues of a Kubernetes cluster",
		Long: `Look after the WorkQueues of a Kubernetes cluster: launch Jobs whose pods work
on their queues, as many as the items ask for, and let idle ones leave.

In a pod it uses the pod's service account, elsewhere a kubeconfig as kubectl
does. It runs until it is told to stop; workers go on without it.

Exit code: 0 told to stop, 2 bad usage, 3 the cluster does not answer, or
another replica leads now.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.register(fs, "`NAMESPACE` whose WorkQueues are looked after, or all", "all")
	fs.StringVar(&f.image, "image", "", "`IMAGE` that starts sluice, which workers of other images borrow it from (default: that of the pod named in $SLUICE_POD_NAME)")
	fs.Var(durationValue{&f.idle, time.Second, day}, "idle", "how long a worker has nothing to do before it is let go")
	fs.BoolVar(&f.leaderElect, "leader-elect", false, "let one of several replicas act")
	fs.StringVar(&f.metrics, "metrics", "", "`ADDR` to serve /metrics on, such as :8080 (default: none)")
	fs.StringVar(&f.health, "health", "", "`ADDR` to serve /healthz and /readyz on, such as :8081 (default: none)")
	return cmd
}

func (f *coordinateFlags) run(cmd *cobra.Command) error {
	c, err := f.find()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	o := kube.Options{
		Image: f.image, Open: openURL, Queues: queuesOf, Enqueue: enqueueSource, Idle: f.idle,
		LeaderElect: f.leaderElect, LeaderNamespace: c.Namespace, Metrics: f.metrics, Health: f.health,
		Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)),
	}
	if f.namespace != "all" {
		o.Namespace = f.namespace
	}
	err = kube.Run(ctx, c, o)
	if errors.Is(err, kube.ErrNoImage) {
		return usagef("--image is missing: an image that starts sluice, which workers of other images borrow it from")
	}
	if err != nil {
		return &exitError{exitStore, err}
	}
	return nil
}

// openURL opens the queue of a WorkQueue.
func openURL(ctx context.Context, url, name string) (*queue.Queue, error) {
	p, err := checked(url, "the store's URL")
	if err != nil {
		return nil, err
	}
	return p.open(ctx, name)
}

// queuesOf lists the queues of a WorkQueue's store.
func queuesOf(ctx context.Context, url string) ([]string, error) {
	p, err := checked(url, "the store's URL")
	if err != nil {
		return nil, err
	}
	return p.queues(ctx)
}

// enqueueSource adds the items of a WorkQueue's source to a batch.
func enqueueSource(ctx context.Context, q *queue.Queue, w *workload.WorkQueue, batch string) (string, error) {
	m, err := sourceMaker(w, batch)
	if err != nil {
		return "", err
	}
	// Outputs are where the workers are: they look for those that exist.
	outputs := producer.Outputs{Existing: producer.Replace}
	report, err := producer.Enqueue(ctx, q, w.Spec.Source.Records(), m, producer.EnqueueOptions{Outputs: outputs})
	return report.String(), err
}

// sourceMaker makes the items of a WorkQueue's source. Relative paths start
// where the container does.
func sourceMaker(w *workload.WorkQueue, batch string) (*producer.Maker, error) {
	c := w.Spec.JobTemplate.Spec.Template.Spec.Containers[0] // it was checked
	o := producer.MakerOptions{Batch: batch, InputField: w.Spec.Source.Input, Dir: c.WorkingDir, Content: w.Spec.Source.Identity == workload.IdentityContent}
	if w.Spec.Schedule != nil {
		o.Scope = batch // else the items of the second batch would be those of the first
	}
	if pattern := w.Spec.ItemPolicy.Output; pattern != "" {
		t, err := template.ParsePattern(pattern, w.Spec.Source.Fields())
		if err != nil {
			return nil, plainly("spec.itemPolicy.output", "template: ", err)
		}
		o.Output = t.Expand
	}
	o.Numbered = slices.ContainsFunc(append(slices.Concat(c.Command, c.Args), w.Spec.ItemPolicy.Output),
		func(word string) bool { return strings.Contains(word, "{#}") })
	return producer.NewMaker(o)
}
