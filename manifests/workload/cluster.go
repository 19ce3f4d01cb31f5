package workload

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/queue"
)

// What a WorkQueue says of its store unless it says otherwise.
const (
	DefaultStoreSecret = "sluice-store"
	DefaultStoreKey    = "url"
)

// Store is where a queue is kept.
//
// +kubebuilder:object:generate=true
type Store struct {
	// SecretRef is the Secret that has the store's URL.
	SecretRef SecretKey `json:"secretRef"`
}

// SecretKey is a value of a Secret in the WorkQueue's namespace.
//
// +kubebuilder:object:generate=true
type SecretKey struct {
	// Name of the Secret. Default sluice-store.
	Name string `json:"name,omitempty"`

	// Key of the value. Default url.
	Key string `json:"key,omitempty"`
}

// StoreSecret is the Secret's key that has the store's URL.
func (s *WorkQueueSpec) StoreSecret() SecretKey {
	var k SecretKey
	if s.Store != nil {
		k = s.Store.SecretRef
	}
	orElse(&k.Name, DefaultStoreSecret)
	orElse(&k.Key, DefaultStoreKey)
	return k
}

// checkCluster checks what only a cluster needs.
func (d *Document) checkCluster(s *WorkQueueSpec) {
	if d.has("spec.queue") {
		if err := queue.ValidateName("queue", s.Queue); err != nil {
			d.refuse("spec.queue", "%s", strings.TrimPrefix(err.Error(), "queue name "))
		}
	}
	if s.Store != nil && s.Store.SecretRef.Name != "" {
		d.checkName(s.Store.SecretRef.Name, "spec.store.secretRef.name", subdomain, 253)
	}
}

// QueueName is the name of the queue in its store.
func (w *WorkQueue) QueueName() string {
	if w.Spec.Queue != "" {
		return w.Spec.Queue
	}
	return w.Name
}

// WorkQueueStatus is what a coordinator has seen and done.
//
// +kubebuilder:object:generate=true
type WorkQueueStatus struct {
	// ObservedGeneration is the metadata.generation that the rest is about.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Depth is the queue's items by state, at most a few seconds old.
	Depth *DepthStatus `json:"depth,omitempty"`

	// Workers are those of this WorkQueue. None are told as well: somebody may wait
	// for status.workers.live to be 0.
	// +optional
	Workers WorkersStatus `json:"workers"`

	// Wave is the number of the last Job that was made. It only grows: the
	// next Job's name has the next number.
	Wave int64 `json:"wave,omitempty"`

	// Suspended is the spec.suspend that the queue was told last.
	Suspended bool `json:"suspended,omitempty"`

	// Source is a digest of the spec.source that was enqueued.
	Source string `json:"source,omitempty"`

	// Policy is what this WorkQueue stated of its queue, which is its own to
	// change.
	Policy *ItemPolicy `json:"policy,omitempty"`

	// Decisions are the last ones, newest first, ten at most.
	// +listType=atomic
	Decisions []DecisionStatus `json:"decisions,omitempty"`

	// Conditions are Accepted, StoreReachable, Enqueued, Scheduled, Scaling,
	// Disturbed and Complete.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// DepthStatus counts items by state.
//
// +kubebuilder:object:generate=true
type DepthStatus struct {
	Blocked   int64 `json:"blocked"`
	Delayed   int64 `json:"delayed"`
	Ready     int64 `json:"ready"`
	Leased    int64 `json:"leased"`
	Done      int64 `json:"done"`
	Dead      int64 `json:"dead"`
	Cancelled int64 `json:"cancelled"`
	Held      int64 `json:"held"` // of ready: those that nobody may claim
}

// WorkersStatus counts workers.
//
// +kubebuilder:object:generate=true
type WorkersStatus struct {
	Live     int32 `json:"live"`     // pending, starting or running
	Pending  int32 `json:"pending"`  // of live: not bound to a node
	Starting int32 `json:"starting"` // of live: bound, and not running yet
	Running  int32 `json:"running"`  // of live
	Busy     int32 `json:"busy"`     // of running: with an item at least
	Leaving  int32 `json:"leaving"`  // they claim nothing more
}

// DecisionStatus is a decision with its reason.
//
// +kubebuilder:object:generate=true
type DecisionStatus struct {
	Time metav1.Time `json:"time"`

	// Did is what was done, such as "launched 3 workers as Job film-7".
	Did string `json:"did"`

	// Rule is the numbers that were seen and the rule that they fell under.
	Rule string `json:"rule"`
}

// WorkQueueList is what an API server answers to a list.
//
// +kubebuilder:object:root=true
// +kubebuilder:object:generate=true
type WorkQueueList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []WorkQueue `json:"items"`
}
