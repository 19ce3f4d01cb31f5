package workload

import "strings"

// Mode is who works on a WorkQueue's items.
//
// +kubebuilder:validation:Enum=Queue;PerNode
type Mode string

// The values of Mode.
const (
	ModeQueue   Mode = "Queue"   // workers that come and go with the items
	ModePerNode Mode = "PerNode" // one on each node that the template allows, as long as the node is there
)

// PerNode tells whether each node has a worker of its own.
func (s *WorkQueueSpec) PerNode() bool { return s.Mode == ModePerNode }

// The batches, without items, by which a store knows the nodes of a WorkQueue:
// whoever has the store can give each of them its own copy of an item.
const (
	// ResidentBatch is in the queue of every node that has or had a worker.
	ResidentBatch = "sluice.resident"
	// GoneBatch is there too from when the node is gone.
	GoneBatch = "sluice.gone"
)

// nodeMark is between the name of a queue and that of a node.
const nodeMark = ".node."

// NodeQueue is the name of the queue whose items only the worker of this node
// gets.
func NodeQueue(queue, node string) string { return queue + nodeMark + node }

// NodeOf is the node whose queue has this name, if it is one of queue's.
func NodeOf(queue, name string) (node string, ok bool) {
	return strings.CutPrefix(name, queue+nodeMark)
}

// perNodeFields are what makes no sense where each node has a worker, and why.
var perNodeFields = []struct{ path, why string }{
	{"spec.scaling", "each node that spec.jobTemplate allows has one worker: use nodeSelector, affinity and tolerations of its pod"},
	{"spec.source", "it does not say which node is to do an item: 'sluice enqueue --each-node' gives each its own copy"},
	{"spec.after", "it is about the items of spec.source, which mode PerNode does not have"},
	{"spec.schedule", "it is about the items of spec.source, which mode PerNode does not have"},
	{"spec.deadlineSeconds", "it is about the items of spec.source, which mode PerNode does not have: use 'sluice enqueue --deadline'"},
	{"spec.jobTemplate.spec.ttlSecondsAfterFinished", "its workers stay: they are a DaemonSet's, not a Job's"},
}

func (d *Document) checkMode(w *WorkQueueSpec) {
	if !w.PerNode() {
		return
	}
	for _, f := range perNodeFields {
		if d.has(f.path) {
			d.refuse(f.path, "not with mode PerNode: %s", f.why)
		}
	}
}
