package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// auditPolicy writes who asked what, without bodies, once an answer is given.
// The heartbeats of nodes and the kubelet's like would drown the rest.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  nonResourceURLs: ["*"]
- level: None
  namespaces: [kube-node-lease]
- level: Metadata
`

const schedulerConfig = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
podInitialBackoffSeconds: 1
podMaxBackoffSeconds: 1
clientConnection: {kubeconfig: %q, qps: 500, burst: 1000}
`

// writeConfigs puts what the components read besides certificates into dir.
func (c *Cluster) writeConfigs() error {
	for name, content := range map[string]string{
		"audit.yaml":     auditPolicy,
		"scheduler.yaml": fmt.Sprintf(schedulerConfig, c.kubeconfig(scheduler)),
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	for file, who := range map[string][]string{
		c.Kubeconfig():            {"admin", "system:masters"},
		c.kubeconfig(controllers): {"system:" + controllers},
		c.kubeconfig(scheduler):   {"system:" + scheduler},
	} {
		if err := c.WriteKubeconfig(file, who[0], who[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) kubeconfig(name string) string { return filepath.Join(c.dir, name+".kubeconfig") }

// Kubeconfig is the administrator's file.
func (c *Cluster) Kubeconfig() string { return c.kubeconfig("admin") }

// URL is the API server's address.
func (c *Cluster) URL() string { return fmt.Sprintf("https://127.0.0.1:%d", c.port) }

// WriteKubeconfig writes a file by which a program is the named user, of these
// groups. RBAC says what that user may do; at first, nothing.
func (c *Cluster) WriteKubeconfig(file, user string, groups ...string) error {
	p, err := c.ca.user(user, groups...)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	const name = "cluster"
	config := api.NewConfig()
	config.Clusters[name] = &api.Cluster{Server: c.URL(), CertificateAuthorityData: c.ca.pem}
	config.AuthInfos[user] = &api.AuthInfo{ClientCertificateData: p.cert, ClientKeyData: p.key}
	config.Contexts[name] = &api.Context{Cluster: name, AuthInfo: user}
	config.CurrentContext = name
	return clientcmd.WriteToFile(*config, file)
}

// User is the configuration of a client that is the named user, of these
// groups.
func (c *Cluster) User(name string, groups ...string) (*rest.Config, error) {
	p, err := c.ca.user(name, groups...)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	return &rest.Config{
		Host:            c.URL(),
		TLSClientConfig: rest.TLSClientConfig{CAData: c.ca.pem, CertData: p.cert, KeyData: p.key},
		QPS:             500, Burst: 1000,
	}, nil
}
