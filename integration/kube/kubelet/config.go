package kubelet

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	// address is the node's, of which nobody outside of this machine hears. It
	// is its name too: so a kubelet takes it for its address.
	address = "127.0.0.3"

	// Bridge is where pods find this machine. The network is one that is
	// reserved for tests of networks.
	Bridge  = "198.18.83.1"
	network = "198.18.83.0/24"
	mask    = "/24"
	device  = "sluice0"
	// Without an address of its own a bridge takes that of one of its ports, and
	// another when pods come and go, of which the others learn late.
	hardware = "02:00:c6:12:53:01"

	pauseImage = "sluice-pause:1"

	folder = "kubelet-node" // in the cache folder
)

// containerdConfig keeps all in the node's folder. Where root may not protect
// processes from want of memory, containers do without that.
const containerdConfig = `version = 2
root = "%[1]s/containerd"
state = "/run/containerd"
[grpc]
  address = "%[1]s/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "%[1]s/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + registry + pauseImage + `"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "%[1]s/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`

// networkConfig attaches pods to the bridge, which leads to this machine and no
// further.
const networkConfig = `{"cniVersion": "0.4.0", "name": "sluice", "plugins": [{
  "type": "bridge", "bridge": "` + device + `",
  "ipam": {"type": "host-local", "dataDir": "%[1]s/addresses", "ranges": [[{"subnet": "` + network + `", "gateway": "` + Bridge + `"}]]}
}]}
`

// kubeletConfig answers to those alone who have a certificate of the cluster. It
// takes this machine as it is: swap, control groups of either version, disks
// that are nearly full; and changes none of its firewall.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: ` + address + `
port: %[2]d
readOnlyPort: 0
healthzPort: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: %[3]q}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://%[1]s/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
resolvConf: ""
podLogsDir: %[1]s/podlogs
nodeStatusUpdateFrequency: 5s
evictionHard: {memory.available: 100Mi, nodefs.available: 1%%, imagefs.available: 1%%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
`

// configure writes what the node's programs read. ca is the file with the
// cluster's authority.
func configure(dir string, port int, ca string) error {
	for name, content := range map[string]string{
		"containerd.toml":        fmt.Sprintf(containerdConfig, dir),
		"cni/10-bridge.conflist": fmt.Sprintf(networkConfig, dir),
		"kubelet.yaml":           fmt.Sprintf(kubeletConfig, dir, port, ca),
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}
