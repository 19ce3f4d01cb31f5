//go:build linux

package kubelet

import "os"

// firstProcess is the name under which a program that calls Main is the first
// process of a node.
const firstProcess = "sluice-kubelet-node"

// Main is called first in the TestMain of every program that starts a node. In
// the node's first process it does not return.
func Main() {
	if os.Args[0] == firstProcess {
		os.Exit(first())
	}
}
