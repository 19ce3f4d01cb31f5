package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/integration/kube/node"
)

// Node is one of a cluster's, a process that runs pods.
type Node struct {
	Name    string
	cluster *Cluster
	hello   []byte // its options
	process *component
}

// StartNode adds a node and returns once the scheduler may use it. Of the
// options, Kubeconfig and Dir are the cluster's to say. The program that calls
// it must call node.Main first thing.
func (c *Cluster) StartNode(ctx context.Context, o node.Options) (*Node, error) {
	if o.Name == "" {
		return nil, errors.New("cluster: a node needs a name")
	}
	o.Kubeconfig, o.Dir = c.kubeconfig(o.Name), filepath.Join(c.dir, o.Name)
	if err := c.WriteKubeconfig(o.Kubeconfig, "system:node:"+o.Name, "system:nodes"); err != nil {
		return nil, err
	}
	hello, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("cluster: node %s: %w", o.Name, err)
	}
	n := &Node{Name: o.Name, cluster: c, hello: append(hello, '\n')}
	c.mu.Lock()
	_, taken := c.nodes[o.Name]
	if !taken {
		c.nodes[o.Name] = n
	}
	c.mu.Unlock()
	if taken {
		return nil, fmt.Errorf("cluster: node %s: there is one of that name", o.Name)
	}
	return n, n.Start(ctx)
}

// Start starts the node again after Kill, and returns once the scheduler may
// use it. The pods that it had are lost to it and reported as failed.
func (n *Node) Start(ctx context.Context) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{node.Process}
	cmd.Env = os.Environ()
	began := time.Now().Truncate(time.Second)
	p, err := start(n.cluster.dir, n.Name, cmd, n.hello)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	n.process = p
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return await(ctx, p, func(ctx context.Context) error {
		o, err := n.cluster.client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return usable(o, began)
	})
}

// usable tells why the scheduler does not use a node that began then.
func usable(o *corev1.Node, began time.Time) error {
	for _, t := range o.Spec.Taints {
		if t.Key == corev1.TaintNodeNotReady || t.Key == corev1.TaintNodeUnreachable {
			return fmt.Errorf("node %s has the taint %s", o.Name, t.Key)
		}
	}
	for _, c := range o.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue && !c.LastHeartbeatTime.Time.Before(began) {
			return nil
		}
	}
	return fmt.Errorf("node %s is not ready", o.Name)
}

// Kill ends the node and all that runs on it, as a power cut does.
func (n *Node) Kill() { n.process.kill() }

// Silence cuts the node off: its pods run on, and nobody hears of them, until
// Resume.
func (n *Node) Silence() error { return n.process.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume ends Silence.
func (n *Node) Resume() error { return n.process.cmd.Process.Signal(syscall.SIGCONT) }

// Remove ends the node and its pods, and has the cluster forget it.
func (n *Node) Remove(ctx context.Context) error {
	n.stop()
	n.cluster.mu.Lock()
	delete(n.cluster.nodes, n.Name)
	n.cluster.mu.Unlock()
	if err := n.cluster.client.CoreV1().Nodes().Delete(ctx, n.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("cluster: node %s: %w", n.Name, err)
	}
	return nil
}

// stop ends the node and its pods and returns when they are gone.
func (n *Node) stop() {
	if n.process != nil {
		_ = n.Resume()
		n.process.hangUp(10 * time.Second)
	}
}
