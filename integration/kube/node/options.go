package node

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Options describe a node.
type Options struct {
	Name string

	// Kubeconfig is a file by which the node is the user system:node:NAME of
	// the group system:nodes.
	Kubeconfig string

	// Dir is where logs and volumes are kept, for as long as the node runs.
	Dir string

	// Capacity, for the scheduler alone. What it does not name is 64 CPUs,
	// 256 GiB of memory, 100 GiB of ephemeral storage and 500 pods.
	Capacity map[corev1.ResourceName]string

	// Labels besides kubernetes.io/hostname, os and arch.
	Labels map[string]string
	Taints []corev1.Taint

	// Images gives a program or a folder to an image's name. A program is what
	// a container of that image runs if it has no command, and its folder
	// comes first in the container's PATH, as does a folder that is named
	// itself. Other images are this machine's files and have no entrypoint;
	// those that begin with "missing/" cannot be pulled.
	Images map[string]string
}

// read takes options from the first line of r.
func (o *Options) read(r io.Reader) error {
	// A decoder would read on, into what is a lifeline.
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := r.Read(b); err != nil {
			return fmt.Errorf("options: %w", err)
		}
		if b[0] == '\n' {
			break
		}
		line = append(line, b[0])
	}
	if err := json.Unmarshal(line, o); err != nil {
		return fmt.Errorf("options: %w", err)
	}
	for _, path := range []string{o.Kubeconfig, o.Dir} {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("options: %q is no absolute path", path)
		}
	}
	return nil
}

func (o *Options) capacity() (corev1.ResourceList, error) {
	list := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("64"),
		corev1.ResourceMemory:           resource.MustParse("256Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
		corev1.ResourcePods:             resource.MustParse("500"),
	}
	for name, value := range o.Capacity {
		q, err := resource.ParseQuantity(value)
		if err != nil {
			return nil, fmt.Errorf("capacity: %s: %q: %w", name, value, err)
		}
		list[name] = q
	}
	return list, nil
}
