package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The components, by the names under which their program knows them.
const (
	etcd        = "etcd"
	apiServer   = "kube-apiserver"
	controllers = "kube-controller-manager"
	scheduler   = "kube-scheduler"
)

const (
	defaultNodeGrace  = 20 * time.Second
	defaultJobBackoff = time.Second
	defaultJobBatch   = 100 * time.Millisecond
)

// launch starts a component of the control plane.
func (c *Cluster) launch(name string) error {
	flags := map[string]func() []string{
		etcd: c.etcdFlags, apiServer: c.apiServerFlags, controllers: c.controllerFlags, scheduler: c.schedulerFlags,
	}[name]
	cmd := exec.Command(c.binary, append([]string{name}, flags()...)...)
	cmd.Env = append(os.Environ(), "CONTROLPLANE_LIFELINE=1")
	if name == controllers {
		cmd.Env = append(cmd.Env, c.jobPeriods()...)
	}
	p, err := start(c.dir, name, cmd, nil)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.components[name] = p
	return nil
}

// etcdFlags make an etcd that needs no port and, since no state outlives a
// crash of the machine, no fsync.
func (c *Cluster) etcdFlags() []string {
	client, peer := c.socket("etcd"), c.socket("peer")
	return []string{
		"--name=default", "--data-dir=" + filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
	}
}

func (c *Cluster) socket(name string) string { return "unix://" + filepath.Join(c.dir, name+".sock") }

func (c *Cluster) apiServerFlags() []string {
	file := func(name string) string { return filepath.Join(c.dir, name) }
	return []string{
		"--etcd-servers=" + c.socket("etcd"),
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.port), "--permit-port-sharing",
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--tls-cert-file=" + file("server.crt"), "--tls-private-key-file=" + file("server.key"),
		"--client-ca-file=" + file("ca.crt"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + file("accounts.key"), "--service-account-signing-key-file=" + file("accounts.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate=" + file("kubelet-client.crt"), "--kubelet-client-key=" + file("kubelet-client.key"),
		"--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged=true",
		"--default-not-ready-toleration-seconds=2", "--default-unreachable-toleration-seconds=2",
		"--audit-policy-file=" + file("audit.yaml"), "--audit-log-path=" + c.auditLog(),
		"--profiling=false",
	}
}

func (c *Cluster) controllerFlags() []string {
	grace := c.opts.NodeGrace
	if grace == 0 {
		grace = defaultNodeGrace
	}
	return []string{
		"--kubeconfig=" + c.kubeconfig(controllers), "--use-service-account-credentials=true",
		"--service-account-private-key-file=" + filepath.Join(c.dir, "accounts.key"),
		"--root-ca-file=" + filepath.Join(c.dir, "ca.crt"),
		"--secure-port=0", "--leader-elect=false", "--profiling=false",
		"--kube-api-qps=500", "--kube-api-burst=1000", "--concurrent-job-syncs=5",
		"--node-monitor-period=1s", "--node-monitor-grace-period=" + grace.String(),
	}
}

// jobPeriods are those for which the controllers have no flags.
func (c *Cluster) jobPeriods() (env []string) {
	add := func(name string, d, otherwise time.Duration) {
		if d == 0 {
			d = otherwise
		}
		if d > 0 {
			env = append(env, name+"="+d.String())
		}
	}
	add("JOB_POD_FAILURE_BACKOFF", c.opts.JobBackoff, defaultJobBackoff)
	add("JOB_SYNC_BATCH_PERIOD", c.opts.JobBatch, defaultJobBatch)
	return env
}

func (c *Cluster) schedulerFlags() []string {
	return []string{"--config=" + filepath.Join(c.dir, "scheduler.yaml"), "--secure-port=0"}
}
