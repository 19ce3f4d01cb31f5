// Package kubelet adds a node with a real kubelet, containerd and runc to a
// cluster of package cluster, for what nodes that only play one cannot show:
// images, limits of memory, security contexts, exec, signals to process 1.
//
// It needs root, and of Debian's packages containerd, runc,
// containernetworking-plugins and iproute2. The kubelet is built from its
// module, and images from programs of this machine: nothing is pulled.
//
// All that runs is in a process and a mount namespace of its own, whose first
// process is the calling program under another name. When that one ends, and it
// ends with the program, the kernel ends every process in there and forgets
// every mount. What is left then are a folder, a bridge and control groups, that
// the first process removes as its last act, or the next Start if even that was
// killed.
package kubelet
