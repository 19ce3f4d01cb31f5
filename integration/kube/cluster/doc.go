// Package cluster starts a real Kubernetes control plane for tests: etcd, an
// API server with RBAC, the Node authorizer, ServiceAccount admission and an
// audit log, the controllers and the scheduler, as released. Nodes run their
// pods as processes of this machine: see package node.
//
// All of it listens on loopback alone, keeps its state in one folder, and ends
// with the process that started it, whatever ended that.
package cluster
