package queuetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sluice.dev/queue"
)

var manySentences = []sentence{
	{"one call carries thousands of items", thousands},
	{"fifty workers finish a thousand items, each of them once", func(q *subject) { crowd(q, 50, 1000, 3) }},
	{"a listing has every record of many", func(q *subject) {
		const n = 1500
		items := make([]queue.Item, n)
		for i := range items {
			items[i] = queue.Item{ID: itemID(i)}
		}
		q.put(items...)
		seen := map[string]bool{}
		for _, r := range q.items(queue.Query{}) {
			seen[r.Item.ID] = true
		}
		if len(seen) != n {
			q.Errorf("listed %d different items, want %d", len(seen), n)
		}
		if got := len(q.items(queue.Query{Limit: n - 1})); got != n-1 {
			q.Errorf("listed %d items with a limit of %d", got, n-1)
		}
	}},
	{"the items of parallel producers are added once", func(q *subject) {
		const producers, n = 8, 200
		items := make([]queue.Item, n)
		for i := range items {
			items[i] = queue.Item{ID: itemID(i)}
		}
		added := make([]int, producers)
		var wg sync.WaitGroup
		for p := range producers {
			wg.Go(func() {
				for at := 0; at < n; at += 20 {
					out, err := q.d.Enqueue(q.ctx, items[at:at+20])
					if err != nil {
						q.Errorf("Enqueue: %v", err)
						return
					}
					for _, o := range out {
						if o == queue.Added {
							added[p]++
						}
					}
				}
			})
		}
		wg.Wait()
		total := 0
		for _, a := range added {
			total += a
		}
		if total != n {
			q.Errorf("%d producers were told of %d added items, want %d", producers, total, n)
		}
		q.wantDepth(queue.Depth{Ready: n})
	}},
}

// thousands is more than the arguments that a store's script may pass on at
// once.
func thousands(q *subject) {
	const n = 9000
	items := make([]queue.Item, n)
	for i := range items {
		items[i] = queue.Item{ID: itemID(i)}
	}
	q.put(items...)
	q.wantDepth(queue.Depth{Ready: n})
	w := q.worker("w")
	leases := w.claim(n)
	if len(leases) != n {
		q.Fatalf("a claim of %d gave %d leases", n, len(leases))
	}
	settle := make([]queue.Settlement, n)
	for i, l := range leases {
		settle[i] = queue.Settlement{Lease: l, Verb: queue.Ack}
	}
	for i, err := range w.send(queue.Exchange{Settle: settle}).Settled {
		if err != nil {
			q.Fatalf("ack of %q: %v", leases[i].Item.ID, err)
		}
	}
	q.wantDepth(queue.Depth{Done: n})
}

// crowd lets workers on two clients finish items while the depth is watched.
func crowd(q *subject, workers, items, claim int) {
	ledger := &ledger{acked: map[string]int{}, tokens: map[uint64]string{}, goal: items}
	all := make([]queue.Item, items)
	for i := range all {
		all[i] = queue.Item{ID: itemID(i)}
	}
	q.put(all...)
	clients := []queue.Driver{q.d, q.another()}

	ctx, stop := context.WithCancel(q.ctx)
	defer stop()
	var crowd, watch sync.WaitGroup
	for i := range workers {
		w := q.worker(fmt.Sprintf("w%d", i))
		crowd.Go(func() {
			defer func() {
				if ledger.done() {
					stop()
				}
			}()
			if err := w.finish(clients[i%2], claim, ledger); err != nil {
				q.Errorf("worker %s: %v", w.id, err)
				stop()
			}
		})
	}
	watch.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			if d, err := q.d.Depth(q.ctx); err != nil || d.Total() != int64(items) {
				q.Errorf("depth among workers is %+v, %v; want a total of %d", d, err, items)
				return
			}
		}
	})
	crowd.Wait()
	stop()
	watch.Wait()

	for id, n := range ledger.acked {
		if n != 1 {
			q.Errorf("%s was acked %d times", id, n)
		}
	}
	if len(ledger.acked) != items {
		q.Errorf("%d of %d items were acked", len(ledger.acked), items)
	}
	q.wantDepth(queue.Depth{Done: int64(items)})
}

// ledger is what the workers of a crowd saw, together.
type ledger struct {
	mu     sync.Mutex
	acked  map[string]int
	tokens map[uint64]string
	goal   int
}

func (l *ledger) done() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked) >= l.goal
}

// lease enters a lease and tells whether its token is new.
func (l *ledger) lease(lease queue.Lease) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id, ok := l.tokens[lease.Token]; ok {
		return fmt.Errorf("token %d was given for %q and again for %q", lease.Token, id, lease.Item.ID)
	}
	l.tokens[lease.Token] = lease.Item.ID
	return nil
}

func (l *ledger) ack(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[id]++
}

// finish claims and acks until there is nothing more.
func (w *worker) finish(d queue.Driver, claim int, l *ledger) error {
	var held []queue.Settlement
	for {
		r, err := d.Exchange(w.q.ctx, w.number(queue.Exchange{Settle: held, Claim: claim}))
		if err != nil {
			return err
		}
		for i, err := range r.Settled {
			if err != nil {
				return fmt.Errorf("ack of %q: %w", held[i].Lease.Item.ID, err)
			}
			l.ack(held[i].Lease.Item.ID)
		}
		if len(r.Leases) == 0 {
			return nil
		}
		held = held[:0]
		for _, lease := range r.Leases {
			if err := l.lease(lease); err != nil {
				return err
			}
			held = append(held, queue.Settlement{Lease: lease, Verb: queue.Ack})
		}
	}
}
