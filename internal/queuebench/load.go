package queuebench

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/queue"
)

// Load puts items of 200 bytes into a queue, and takes them out. It is for one
// goroutine.
type Load struct {
	testing.TB
	Queue *queue.Queue

	last int
}

var payload = []byte(strings.Repeat("p", 200))

// Payload is what an item holds, for what it is held against.
func Payload() []byte { return slices.Clone(payload) }

// Items makes n new ones.
func (l *Load) Items(n int) []queue.Item {
	items := make([]queue.Item, n)
	for i := range items {
		l.last++
		items[i] = queue.Item{ID: strconv.Itoa(1e9 + l.last), Payload: payload}
	}
	return items
}

// Fill enqueues n items, call at a time, by width producers.
func (l *Load) Fill(n, call, width int) {
	calls := make(chan []queue.Item)
	var producers sync.WaitGroup
	for range width {
		producers.Go(func() {
			for items := range calls {
				if _, err := l.Queue.Enqueue(l.Context(), items); err != nil {
					l.Error(err)
				}
			}
		})
	}
	for items := range slices.Chunk(l.Items(n), call) {
		calls <- items
	}
	close(calls)
	producers.Wait()
}

// session is of a worker that has not been there before.
func (l *Load) session() *queue.Session {
	l.last++
	return l.Queue.Session("worker-" + strconv.Itoa(l.last))
}

// Dispatch does n items as a worker of many slots does: one loop settles what has
// ended and claims for the slots that are free, in one exchange.
func (l *Load) Dispatch(n, slots int) {
	session := l.session()
	todo, ended := make(chan queue.Lease, slots), make(chan queue.Settlement, slots)
	var running sync.WaitGroup
	for range slots {
		running.Go(func() {
			for lease := range todo {
				ended <- queue.Settlement{Lease: lease, Verb: queue.Ack}
			}
		})
	}
	defer running.Wait()
	defer close(todo)
	for done, held, claimed := 0, 0, 0; done < n; {
		var settle []queue.Settlement
		if held > 0 {
			settle = append(settle, <-ended)
		}
		for more := true; more; {
			select {
			case s := <-ended:
				settle = append(settle, s)
			default:
				more = false
			}
		}
		held -= len(settle)
		r, err := session.Exchange(l.Context(), settle, min(slots-held, n-claimed))
		if err != nil {
			l.Error(err)
			return
		}
		done += len(settle)
		held += len(r.Leases)
		claimed += len(r.Leases)
		for _, lease := range r.Leases {
			todo <- lease
		}
	}
}

// Lockstep does n items in exchanges that settle the last ones and claim as many.
func (l *Load) Lockstep(n, call int) { l.lockstep(l.session(), n, call) }

func (l *Load) lockstep(session *queue.Session, n, call int) {
	var settle []queue.Settlement
	for done := 0; done < n; {
		r, err := session.Exchange(l.Context(), settle, min(call, n-done-len(settle)))
		if err != nil || len(settle)+len(r.Leases) == 0 {
			l.Errorf("%d of %d done, and no more to claim: %v", done, n, err)
			return
		}
		done += len(settle)
		settle = acks(r.Leases)
	}
}

// Single does n items with workers of one slot each.
func (l *Load) Single(n, workers int) {
	var running sync.WaitGroup
	for w := range workers {
		mine := n / workers
		if w < n%workers {
			mine++
		}
		session := l.session()
		running.Go(func() { l.lockstep(session, mine, 1) })
	}
	running.Wait()
}

func acks(leases []queue.Lease) (settle []queue.Settlement) {
	for _, lease := range leases {
		settle = append(settle, queue.Settlement{Lease: lease, Verb: queue.Ack})
	}
	return settle
}

// Wake is how long it takes from the enqueue of one item to its lease, by a worker
// that waits idle: the median and the 99th percentile are reported. asleep returns
// when the worker waits.
func (l *Load) Wake(b *testing.B, asleep func()) {
	session := l.session()
	wanted, leased := make(chan struct{}), make(chan time.Time)
	go func() {
		defer close(leased)
		var settle []queue.Settlement
		for range wanted {
			for {
				r, err := session.Exchange(b.Context(), settle, 1)
				if err != nil {
					b.Error(err)
					return
				}
				if settle = acks(r.Leases); len(settle) > 0 {
					break
				}
				if err := session.Wait(b.Context(), time.Minute); err != nil {
					b.Error(err)
					return
				}
			}
			leased <- time.Now()
		}
	}()
	var took []float64
	for b.Loop() {
		wanted <- struct{}{}
		asleep()
		began := time.Now()
		if _, err := l.Queue.Enqueue(b.Context(), l.Items(1)); err != nil {
			b.Fatal(err)
		}
		took = append(took, float64((<-leased).Sub(began).Microseconds())/1000)
	}
	close(wanted)
	<-leased
	b.ReportMetric(0, "ns/op") // of a round, which says nothing
	b.ReportMetric(Median(took), "p50-ms")
	b.ReportMetric(Quantile(took, 0.99), "p99-ms")
}
