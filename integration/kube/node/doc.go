// Package node is a Kubernetes node whose pods are processes of this machine,
// for tests. It registers itself, keeps its lease, and does for the pods bound
// to it what a kubelet does: init containers and sidecars, environment,
// ConfigMaps, Secrets, projected service account tokens and other volumes,
// restart policies, grace periods, deadlines, statuses and logs.
//
// Each container has a mount and a process namespace of its own, so that
// volumes stand at their paths, its command is process 1 as it is in a
// container, and nothing that it started outlives it. Its files are otherwise
// this machine's, and so is its network. An image is only a name: see
// Options.Images.
//
// What a kubelet does besides is missing: probes (a container is ready while it
// runs), exec, resource limits (requests count for the scheduler), security
// contexts, changes to the volumes of a running pod, image pulls.
package node
