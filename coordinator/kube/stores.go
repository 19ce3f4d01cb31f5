package kube

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sluice.dev/manifests/workload"
	"sluice.dev/queue"
)

const (
	// freshly is how old the Secret may be of a store that is to be opened: a
	// person may have put it right just now.
	freshly = time.Second
	// gap is the least time between two looks that a queue asks for: a busy one
	// changes a thousand times a second.
	gap = 200 * time.Millisecond
	// openLimit is how long a store may take to answer.
	openLimit = 10 * time.Second
)

// stores are the open queues, one a WorkQueue, each with a watcher that rings
// when the queue has changed.
type stores struct {
	dial    func(ctx context.Context, url, name string) (*queue.Queue, error)
	secrets secrets
	ring    func(types.NamespacedName)

	mu   sync.Mutex
	open map[types.NamespacedName]*store
	all  sync.WaitGroup // watchers
}

// store is the queue of one WorkQueue.
type store struct {
	*queue.Queue
	owner types.UID
	url   string
	name  string
	read  time.Time // when the Secret was
	stop  context.CancelFunc
	nodes map[string]*nodeQueue // by the node's name; looks at one WorkQueue never overlap
}

// close closes the queues of the nodes, and has the watcher close the other.
func (s *store) close() {
	s.stop()
	for _, n := range s.nodes {
		_ = n.Close()
	}
}

// get is the open queue of a WorkQueue.
func (s *stores) get(ctx context.Context, w *workload.WorkQueue, now time.Time) (*store, error) {
	key := client.ObjectKeyFromObject(w)
	s.mu.Lock()
	old := s.open[key]
	s.mu.Unlock()
	known, age := old != nil && old.owner == w.UID && old.name == w.QueueName(), freshly
	if known {
		if now.Sub(old.read) < secretAge {
			return old, nil
		}
		age = secretAge
	}
	url, read, err := s.url(ctx, w, now, age)
	if err != nil {
		return nil, err
	}
	if known && old.url == url {
		old.read = read // looks at one WorkQueue never overlap
		return old, nil
	}
	s.forget(key)
	if err := s.taken(key, url, w.QueueName()); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	q, err := s.dial(limited, url, w.QueueName())
	if err != nil {
		return nil, err
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	opened := &store{Queue: q, owner: w.UID, url: url, name: w.QueueName(), read: read, stop: stop, nodes: make(map[string]*nodeQueue)}
	s.mu.Lock()
	s.open[key] = opened
	s.mu.Unlock()
	s.all.Go(func() { s.watch(watch, key, q) })
	return opened, nil
}

// taken refuses a queue that another WorkQueue has: two would both launch
// workers for its items.
func (s *stores) taken(key types.NamespacedName, url, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, o := range s.open {
		if other != key && o.url == url && o.name == name {
			return fmt.Errorf("queue %q of this store is that of WorkQueue %s already: say another spec.queue", name, other)
		}
	}
	return nil
}

// url is the store's, from the Secret as it was at most age ago, and when that
// was. Errors do not show it.
func (s *stores) url(ctx context.Context, w *workload.WorkQueue, now time.Time, age time.Duration) (string, time.Time, error) {
	ref := w.Spec.StoreSecret()
	said, err := s.secrets.get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: ref.Name}, now, age)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("the Secret with the store's URL: %w", err)
	}
	url := strings.TrimSpace(string(said.data[ref.Key]))
	if url == "" {
		return "", time.Time{}, fmt.Errorf("the Secret %q has no key %q with the store's URL", ref.Name, ref.Key)
	}
	return url, said.read, nil
}

// forget closes the queue of a WorkQueue, if it is open.
func (s *stores) forget(key types.NamespacedName) {
	s.mu.Lock()
	o := s.open[key]
	delete(s.open, key)
	s.mu.Unlock()
	if o != nil {
		o.close()
	}
}

// close closes all queues, and returns when their watchers have ended.
func (s *stores) close() {
	s.mu.Lock()
	for _, o := range s.open {
		o.close()
	}
	clear(s.open)
	s.mu.Unlock()
	s.all.Wait()
}

// watch rings for every change of a queue until ctx ends, and then closes it.
// What rings seldom loses nothing: Watch tells of all that changed since it was
// called last.
func (s *stores) watch(ctx context.Context, key types.NamespacedName, q *queue.Queue) {
	defer q.Close()
	for {
		err := q.Watch(ctx, secretAge)
		if ctx.Err() != nil {
			return
		}
		rest := gap
		if err != nil {
			rest = storeRetry
		}
		s.ring(key)
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}
