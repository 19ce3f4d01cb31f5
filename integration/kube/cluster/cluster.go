package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Options say how a cluster differs from the usual one.
type Options struct {
	// Dir is where state, logs and kubeconfig are kept; it must be empty or
	// missing, and outlives the cluster. "" is a temporary folder that Stop
	// removes.
	Dir string

	// JobBackoff is the first delay before a Job's failed pod is replaced, and
	// JobBatch how long the Job controller gathers changes of pods. 0 is 1 s
	// and 100 ms; below 0 is what Kubernetes has, 10 s and 1 s.
	JobBackoff, JobBatch time.Duration

	// NodeGrace is how long a node may be silent before it counts as not
	// ready. 0 is 20 s; Kubernetes has 50 s. Its pods are evicted 2 s later. On
	// a machine that is busy, less than this finds nodes that are only slow.
	NodeGrace time.Duration

	// Log is told what is built. nil is standard error.
	Log io.Writer
}

// startTimeout bounds how long a component may take to be ready. On an idle
// machine all of them together take some 6 s.
const startTimeout = 4 * time.Minute

// longestDir leaves room for the names of sockets, whose paths Linux bounds.
const longestDir = 90

// Cluster is a control plane that runs. Its methods may be called at once from
// many goroutines.
type Cluster struct {
	opts   Options
	dir    string
	binary string // see Build
	port   int
	held   *os.File // the port
	owned  *os.File // dir, if it is temporary
	ca     *authority
	config *rest.Config         // the administrator's
	client kubernetes.Interface // with it

	mu         sync.Mutex
	components map[string]*component // by name
	nodes      map[string]*Node      // by name
}

// Start builds the control plane if this machine has none, starts it, and
// returns once it takes orders. On an error nothing is left running.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Log == nil {
		o.Log = os.Stderr
	}
	binary, err := Build(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	c := &Cluster{opts: o, dir: o.Dir, binary: binary, components: map[string]*component{}, nodes: map[string]*Node{}}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("cluster: %w", err), c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	if err := c.prepare(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.launch(etcd); err != nil {
		return err
	}
	if err := c.startAPIServer(ctx); err != nil {
		return err
	}
	for _, name := range []string{controllers, scheduler} {
		if err := c.launch(name); err != nil {
			return err
		}
	}
	// The controllers work once they have made the account that pods need.
	return await(ctx, c.component(controllers), func(ctx context.Context) error {
		_, err := c.client.CoreV1().ServiceAccounts(corev1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// prepare makes all that components read.
func (c *Cluster) prepare() (err error) {
	if c.dir == "" {
		if c.dir, c.owned, err = temporary(); err != nil {
			return err
		}
	}
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return err
	}
	if len(c.dir) > longestDir {
		return fmt.Errorf("folder %s: its path has %d bytes, and for the sockets in it %d are allowed", c.dir, len(c.dir), longestDir)
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	if left, err := os.ReadDir(c.dir); err != nil || len(left) > 0 {
		return errors.Join(err, fmt.Errorf("folder %s: it must be empty", c.dir))
	}
	if c.held, c.port, err = reserve(); err != nil {
		return err
	}
	if c.ca, err = newAuthority(); err != nil {
		return err
	}
	if err := c.ca.write(c.dir); err != nil {
		return err
	}
	if err := c.writeConfigs(); err != nil {
		return err
	}
	if c.config, err = c.User("admin", "system:masters"); err != nil {
		return err
	}
	c.client, err = kubernetes.NewForConfig(c.config)
	return err
}

// startAPIServer starts it again if it ends before it is ready: on a machine
// that is very busy it gives up what it has not done in half a minute.
func (c *Cluster) startAPIServer(ctx context.Context) (err error) {
	for range 3 {
		if err = c.launch(apiServer); err != nil {
			return err
		}
		p := c.component(apiServer)
		if err = await(ctx, p, c.apiReady); err == nil || !isClosed(p.exited) {
			return err
		}
	}
	return err
}

// Outage takes the API server away, calls during, and returns once the API
// server answers again. It comes back too when during ends its test.
func (c *Cluster) Outage(ctx context.Context, during func()) (err error) {
	c.component(apiServer).kill()
	defer func() {
		if err = c.recover(ctx); err != nil {
			err = fmt.Errorf("cluster: %w", err)
		}
	}()
	during()
	return nil
}

// recover has the API server back, and the components that end where they elect
// a leader and it is away for long.
func (c *Cluster) recover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.startAPIServer(ctx); err != nil {
		return err
	}
	for _, name := range []string{controllers, scheduler} {
		c.component(name).kill()
		if err := c.launch(name); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) apiReady(ctx context.Context) error {
	_, err := c.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// Stop ends the nodes with their pods, then the control plane, and removes a
// temporary folder. It returns when nothing is left. State is thrown away, so
// nobody is asked to end in good order.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	nodes := c.nodes
	c.nodes = map[string]*Node{}
	c.mu.Unlock()
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(n.stop)
	}
	wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range []string{scheduler, controllers, apiServer, etcd} {
		if p := c.components[name]; p != nil {
			p.kill()
			delete(c.components, name)
		}
	}
	var errs []error
	if c.held != nil {
		errs = append(errs, c.held.Close())
		c.held = nil
	}
	if c.owned != nil {
		errs = append(errs, os.RemoveAll(c.dir), c.owned.Close())
		c.owned = nil
	}
	return errors.Join(errs...)
}

// Dir is where the cluster's files are: a log for each component and node, the
// audit log, the administrator's kubeconfig.
func (c *Cluster) Dir() string { return c.dir }

// Client is the administrator's.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// Config is the administrator's, to be changed at will.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }
