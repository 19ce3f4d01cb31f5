package kubelet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/integration/kube/cluster"
)

const (
	// readyTimeout bounds how long a node may take to be ready. On an idle
	// machine it takes some 5 s.
	readyTimeout = 3 * time.Minute
	// stopTimeout bounds how long it may take to remove what it leaves behind.
	stopTimeout = time.Minute
)

// Node is a node with a real kubelet. There can be one on a machine. Its methods
// are called one at a time.
type Node struct {
	cluster *cluster.Cluster
	program string // the kubelet
	dir     string
	cmd     *exec.Cmd // the first process
	orders  io.WriteCloser
	answers *json.Decoder
}

// Start builds the kubelet if this machine has none, starts a node that has these
// images, and returns once the scheduler may use it. A node that is being ended
// is waited for. The program that calls it must call Main first thing. On an
// error nothing is left running.
func Start(ctx context.Context, c *cluster.Cluster, images ...Image) (*Node, error) {
	program, err := cluster.BuildKubelet(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	n := &Node{cluster: c, program: program, dir: filepath.Join(filepath.Dir(program), folder)}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := n.start(ctx, images); err != nil {
		return nil, errors.Join(fmt.Errorf("kubelet: %w", err), n.Stop())
	}
	return n, nil
}

func (n *Node) start(ctx context.Context, images []Image) (err error) {
	lock, err := onlyOne(ctx, n.dir+".lock")
	if err != nil {
		return err
	}
	defer lock.Close() // the first process has it too
	if err := sweep(n.dir); err != nil {
		return err
	}
	defer func() {
		if n.cmd == nil {
			err = errors.Join(err, sweep(n.dir))
		}
	}()
	if err := n.prepare(); err != nil {
		return err
	}
	if err := n.launch(lock); err != nil {
		return err
	}
	pause := Image{Name: pauseImage, Files: map[string]string{"/pause": n.file("pause")}, Entrypoint: []string{"/pause"}}
	for _, i := range append(images, pause) {
		if err := n.load(ctx, i); err != nil {
			return err
		}
	}
	return n.StartKubelet(ctx)
}

// onlyOne takes the lock of the machine's only node.
func onlyOne(ctx context.Context, name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%s: another node has it: %w", name, err), f.Close())
		}
	}
}

// prepare makes what the node's programs need before they start.
func (n *Node) prepare() error {
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := configure(n.dir, port, filepath.Join(n.cluster.Dir(), "ca.crt")); err != nil {
		return err
	}
	if err := n.cluster.WriteKubeconfig(n.file("kubeconfig"), "system:node:"+address, "system:nodes"); err != nil {
		return err
	}
	for _, line := range [][]string{
		{"go", "build", "-trimpath", "-ldflags=-s -w", "-o", n.file("pause"), "sluice.dev/integration/kube/kubelet/pause"},
		{"ip", "link", "add", device, "address", hardware, "type", "bridge"},
		{"ip", "address", "add", Bridge + mask, "dev", device},
		{"ip", "link", "set", device, "up"},
	} {
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(line, " "), err, out)
		}
	}
	return nil
}

func (n *Node) file(name string) string { return filepath.Join(n.dir, name) }

func freePort() (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// launch starts the first process, and waits until containerd takes orders.
func (n *Node) launch(lock *os.File) (err error) {
	log, err := os.OpenFile(filepath.Join(n.cluster.Dir(), "node.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	n.cmd = exec.Command("/proc/self/exe")
	n.cmd.Args = []string{firstProcess}
	n.cmd.SysProcAttr = secluded()
	n.cmd.Stderr = log
	n.cmd.ExtraFiles = []*os.File{lock}
	if n.orders, err = n.cmd.StdinPipe(); err != nil {
		return err
	}
	answers, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	n.answers = json.NewDecoder(answers)
	if err := n.cmd.Start(); err != nil {
		n.cmd = nil
		return err
	}
	return n.order(plan{Dir: n.dir, Logs: n.cluster.Dir()})
}

// order has the first process do something.
func (n *Node) order(what any) error {
	if err := json.NewEncoder(n.orders).Encode(what); err != nil {
		return err
	}
	var said string
	if err := n.answers.Decode(&said); err != nil {
		return fmt.Errorf("its first process has ended: %w: see node.log in %s", err, n.cluster.Dir())
	}
	if said != "" {
		return errors.New(said)
	}
	return nil
}

// load gives an image to containerd.
func (n *Node) load(ctx context.Context, i Image) error {
	archive, err := os.Create(n.file("image.tar"))
	if err != nil {
		return err
	}
	if err := errors.Join(i.write(archive), archive.Close()); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "ctr", "--address", n.file("containerd.sock"), "--namespace", "k8s.io", "images", "import", archive.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("image %s: %w: %s", i.Name, err, out)
	}
	return nil
}

// Run starts a program beside the kubelet, with its arguments, which writes into
// the log NAME.log of the cluster's folder and ends with the node, however that
// ends.
func (n *Node) Run(name string, line ...string) error {
	if err := n.order(order{Name: name, Start: line}); err != nil {
		return fmt.Errorf("kubelet: %w", err)
	}
	return nil
}

// KillKubelet ends the kubelet as a crash does; pods run on.
func (n *Node) KillKubelet() error {
	if err := n.order(order{Name: "kubelet"}); err != nil {
		return fmt.Errorf("kubelet: %w", err)
	}
	return nil
}

// StartKubelet starts it again, and returns once the scheduler may use the node.
func (n *Node) StartKubelet(ctx context.Context) error {
	began := time.Now().Truncate(time.Second)
	err := n.Run("kubelet", n.program, "--config="+n.file("kubelet.yaml"), "--kubeconfig="+n.file("kubeconfig"),
		"--root-dir="+n.file("kubelet"), "--cert-dir="+n.file("pki"), "--hostname-override="+address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		o, err := n.cluster.Client().CoreV1().Nodes().Get(ctx, address, metav1.GetOptions{})
		if err == nil {
			err = usable(o, began)
		}
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the node is not ready: %w: see kubelet.log in %s", err, n.cluster.Dir())
		}
	}
}

// usable tells why the scheduler does not use a node whose kubelet began then.
func usable(o *corev1.Node, began time.Time) error {
	if len(o.Spec.Taints) > 0 {
		return fmt.Errorf("it has the taint %s", o.Spec.Taints[0].Key)
	}
	for _, c := range o.Status.Conditions {
		if c.Type != corev1.NodeReady {
			continue
		}
		if c.Status == corev1.ConditionTrue && !c.LastHeartbeatTime.Time.Before(began) {
			return nil
		}
		return fmt.Errorf("%s: %s", c.Reason, c.Message)
	}
	return errors.New("it has said nothing")
}

// Stop ends the node with all its pods, at once, and returns when nothing is
// left of them.
func (n *Node) Stop() error {
	if n.cmd == nil {
		return nil
	}
	defer time.AfterFunc(stopTimeout, func() { _ = n.cmd.Process.Kill() }).Stop()
	_ = n.orders.Close()
	if err := n.cmd.Wait(); err != nil {
		return fmt.Errorf("kubelet: the node's first process: %w: see node.log in %s", err, n.cluster.Dir())
	}
	return nil
}
