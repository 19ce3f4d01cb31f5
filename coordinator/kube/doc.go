// Package kube is the coordinator in a cluster: for each WorkQueue it launches
// Kubernetes Jobs whose pods run sluice work, and lets those leave that nobody
// needs.
//
// It looks at a WorkQueue whenever its object, one of its Jobs or pods, or its
// queue has changed. A look reads all of these, has coordinator.Plan say how
// many workers are missing, and writes down in the status what it saw, what it
// did and why. Nothing that matters is kept in memory: a coordinator may be
// killed at any moment, and another goes on.
//
// What a launch makes is one Job, a wave, of as many pods as are missing, with
// the next number as its name, after a look at the Jobs that the API server has
// now. So two coordinators that act at once make the same Job, once.
//
// With mode PerNode there are no waves: a DaemonSet has a worker on each node that
// its template allows, and each node has a queue of its own beside the one that
// all share. The store has the list of nodes, as queues with a mark, so that an
// enqueue to each node needs nothing but the store.
//
// No worker is ever ended in order to have fewer. The coordinator asks the store
// to let an idle worker go; the store grants it in one step with its own look at
// what may be claimed, and the worker ends by itself.
package kube
