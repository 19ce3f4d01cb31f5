// cluster starts a real Kubernetes control plane with nodes whose pods are
// processes of this machine, for trying things by hand:
//
//	go run ./cmd/cluster build             build what it needs
//	go run ./cmd/cluster up [-nodes N] ... run it until it is interrupted
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"sluice.dev/integration/kube/cluster"
	"sluice.dev/integration/kube/node"
)

func main() {
	node.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", strings.TrimPrefix(err.Error(), "cluster: "))
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	verb := ""
	if len(args) > 0 {
		verb = args[0]
	}
	switch verb {
	case "build":
		binary, err := cluster.Build(ctx, os.Stderr)
		if err == nil {
			fmt.Println(binary)
		}
		return err
	case "up":
		return up(ctx, args[1:])
	}
	return fmt.Errorf("%q: build or up is allowed", verb)
}

func up(ctx context.Context, args []string) (err error) {
	var (
		o      cluster.Options
		n      node.Options
		nodes  int
		images pairs
	)
	fs := flag.NewFlagSet("up", flag.ContinueOnError)
	fs.StringVar(&o.Dir, "dir", "", "keep state and logs in this empty `FOLDER`; without it they are thrown away")
	fs.IntVar(&nodes, "nodes", 2, "how many nodes: node1, node2 ...")
	fs.DurationVar(&o.JobBackoff, "job-backoff", time.Second, "first delay before a Job's failed pod is replaced")
	fs.Var(&images, "image", "`NAME=PATH` of the program or folder that an image stands for; may be said again")
	if err := fs.Parse(args); err != nil || fs.NArg() > 0 {
		return errors.Join(err, argument(fs))
	}
	began := time.Now()
	c, err := cluster.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	n.Images = images
	for i := range nodes {
		n.Name = fmt.Sprintf("node%d", i+1)
		if _, err := c.StartNode(ctx, n); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "Kubernetes %s with %d nodes is up after %s; logs are in %s; an interrupt ends it\n",
		cluster.Version, nodes, time.Since(began).Round(100*time.Millisecond), c.Dir())
	fmt.Println("export KUBECONFIG=" + c.Kubeconfig())
	<-ctx.Done()
	return nil
}

func argument(fs *flag.FlagSet) error {
	if fs.NArg() == 0 {
		return nil
	}
	return fmt.Errorf("argument %q: only flags are allowed", fs.Arg(0))
}

// pairs are values of a flag NAME=PATH.
type pairs map[string]string

func (p *pairs) String() string { return "" }

func (p *pairs) Set(s string) error {
	name, path, found := strings.Cut(s, "=")
	if !found || name == "" || path == "" {
		return errors.New("NAME=PATH is allowed")
	}
	if *p == nil {
		*p = pairs{}
	}
	(*p)[name] = path
	return nil
}
