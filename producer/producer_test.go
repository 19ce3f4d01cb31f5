package producer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
)

// slow is a queue that takes its time and notes its calls.
type slow struct {
	memory
	takes time.Duration
	fail  error // the answer, with the outcomes of the first half
	ended []error
}

func (q *slow) Enqueue(ctx context.Context, items []queue.Item) ([]queue.Outcome, error) {
	select {
	case <-time.After(q.takes):
	case <-ctx.Done():
		q.mu.Lock()
		defer q.mu.Unlock()
		q.ended = append(q.ended, ctx.Err())
		return nil, ctx.Err()
	}
	q.mu.Lock()
	fail := q.fail
	q.mu.Unlock()
	if fail != nil {
		out, _ := q.memory.Enqueue(ctx, items[:len(items)/2])
		return out, fail
	}
	return q.memory.Enqueue(ctx, items)
}

func (q *slow) failWith(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fail = err
}

func (q *slow) callSizes() []int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.calls)
}

func named(id string) queue.Item { return queue.Item{ID: id, Payload: []byte("p" + id)} }

// addAll adds items from a goroutine each, in their order, and returns the
// outcomes.
func addAll(ctx context.Context, p *Producer, items ...queue.Item) func() ([]queue.Outcome, []error) {
	outcomes, errs := make([]queue.Outcome, len(items)), make([]error, len(items))
	var all sync.WaitGroup
	for i, it := range items {
		all.Go(func() { outcomes[i], errs[i] = p.Add(ctx, it) })
		synctest.Wait()
	}
	return func() ([]queue.Outcome, []error) {
		all.Wait()
		return outcomes, errs
	}
}

func TestWhatIsAddedDuringACallTravelsInTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &slow{takes: time.Second}
		p := New(q, Options{})
		other := named("a")
		other.Payload = []byte("another")
		outcomes, errs := addAll(t.Context(), p, named("a"), named("b"), named("a"), other, named("c"))()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if want := []queue.Outcome{queue.Added, queue.Added, queue.Duplicate, queue.Conflict, queue.Added}; !slices.Equal(outcomes, want) {
			t.Errorf("outcomes %v, want %v", outcomes, want)
		}
		if got := q.callSizes(); !slices.Equal(got, []int{1, 4}) {
			t.Errorf("calls of %v items, want one that goes at once and one with the rest", got)
		}
		p.Close()
	})
}

func TestACallIsBounded(t *testing.T) {
	big := make([]byte, queue.MaxPayloadBytes-100)
	for name, test := range map[string]struct {
		o     Options
		items []queue.Item
		want  []int
	}{
		"by number": {Options{MaxItems: 2}, []queue.Item{named("a"), named("b"), named("c"), named("d")}, []int{1, 2, 1}},
		"by size":   {Options{}, []queue.Item{named("a"), {ID: "b", Payload: big}, {ID: "c", Payload: big}, named("d")}, []int{1, 1, 2}},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := &slow{takes: time.Second}
			_, errs := addAll(t.Context(), New(q, test.o), test.items...)()
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
			if got := q.callSizes(); !slices.Equal(got, test.want) {
				t.Errorf("%s: calls of %v items, want %v", name, got, test.want)
			}
		})
	}
}

func TestABadItemHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &slow{takes: time.Second}
		outcomes, errs := addAll(t.Context(), New(q, Options{}), named("a"), queue.Item{ID: "b", Priority: 10}, named("c"))()
		if errs[1] == nil || !strings.Contains(errs[1].Error(), "priority 10") {
			t.Errorf("the bad item: %v, want an error that names its priority", errs[1])
		}
		if outcomes[0] != queue.Added || outcomes[2] != queue.Added {
			t.Errorf("outcomes %v, %v; want the others added", outcomes, errs)
		}
	})
}

func TestAFailedCallIsTheErrorOfWhatHasNoOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &slow{takes: time.Second}
		p := New(q, Options{})
		outcomes := addAll(t.Context(), p, named("a"), named("b"), named("c"))
		time.Sleep(time.Second + time.Second/2)
		q.failWith(queue.ErrUnavailable)
		got, errs := outcomes()
		if got[0] != queue.Added || got[1] != queue.Added || errs[1] != nil || !errors.Is(errs[2], queue.ErrUnavailable) {
			t.Errorf("outcomes %v, %v; want the last to be unavailable", got, errs)
		}
		q.failWith(nil)
		if got, err := p.Add(t.Context(), named("c")); got != queue.Added || err != nil {
			t.Errorf("after the failure: %s, %v; want it added", got, err)
		}
	})
}

func TestMissingOutcomesAreAnError(t *testing.T) {
	q := enqueueFunc(func(context.Context, []queue.Item) ([]queue.Outcome, error) { return nil, nil })
	if _, err := New(q, Options{}).Add(t.Context(), named("a")); err == nil || err.Error() != "0 outcomes for 1 items" {
		t.Errorf("error %v", err)
	}
}

func TestAnItemThatNobodyWaitsForIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &slow{takes: time.Second}
		p := New(q, Options{})
		first := addAll(t.Context(), p, named("a"))
		why := errors.New("no longer")
		ctx, cancel := context.WithCancelCause(t.Context())
		second := addAll(ctx, p, named("b"))
		cancel(why)
		if _, errs := second(); !errors.Is(errs[0], why) {
			t.Errorf("error %v, want the context's cause", errs[0])
		}
		third := addAll(t.Context(), p, named("c"))
		first()
		if outcomes, errs := third(); outcomes[0] != queue.Added || errs[0] != nil {
			t.Errorf("what joined later: %v, %v; want it added", outcomes, errs)
		}
		var ids []string
		for _, it := range q.items {
			ids = append(ids, it.ID)
		}
		if !slices.Equal(ids, []string{"a", "c"}) {
			t.Errorf("the queue has %q, want a and c", ids)
		}
		if _, err := p.Add(ctx, named("d")); !errors.Is(err, why) {
			t.Errorf("an Add whose context has ended: %v", err)
		}
	})
}

func TestACallThatNobodyWaitsForIsCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &slow{takes: time.Hour}
		p := New(q, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		_, errs := addAll(ctx, p, named("a"))()
		p.Close()
		if took := time.Since(began); took != time.Minute || !errors.Is(errs[0], context.DeadlineExceeded) {
			t.Errorf("%v after %s, want the end of the context and of the call", errs[0], took)
		}
		if len(q.ended) != 1 {
			t.Errorf("%d calls were called off, want 1", len(q.ended))
		}
	})
}

func TestACallGoesOnForThoseWhoStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &slow{takes: time.Second}
		p := New(q, Options{})
		first := addAll(t.Context(), p, named("a"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Second/2)
		defer cancel()
		leaves, stays := addAll(ctx, p, named("b")), addAll(t.Context(), p, named("c"))
		first()
		if _, errs := leaves(); !errors.Is(errs[0], context.DeadlineExceeded) {
			t.Errorf("the one that left: %v", errs[0])
		}
		if outcomes, errs := stays(); outcomes[0] != queue.Added || errs[0] != nil {
			t.Errorf("the one that stayed: %v, %v; want it added", outcomes, errs)
		}
	})
}

func TestFlushAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &slow{takes: time.Second}
		p := New(q, Options{})
		if err := p.Flush(t.Context()); err != nil {
			t.Errorf("Flush of nothing: %v", err)
		}
		outcomes := addAll(t.Context(), p, named("a"), named("b"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := p.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush with half a second: %v", err)
		}
		if err := p.Flush(t.Context()); err != nil || !slices.Equal(q.callSizes(), []int{1, 1}) {
			t.Errorf("Flush: %v after calls of %v; want both to have ended", err, q.callSizes())
		}
		outcomes()
		more := addAll(t.Context(), p, named("c"), named("d"))
		began := time.Now()
		p.Close()
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("Close took %s, want that of the two calls", took)
		}
		if got, errs := more(); got[1] != queue.Added || errors.Join(errs...) != nil {
			t.Errorf("what was added before: %v, %v", got, errs)
		}
		if _, err := p.Add(t.Context(), named("e")); !errors.Is(err, ErrClosed) {
			t.Errorf("Add after Close: %v", err)
		}
		p.Close() // a second time changes nothing
	})
}

func TestBadOptionsOfAProducer(t *testing.T) {
	for _, n := range []int{-1, queue.MaxCallItems + 1} {
		_, err := New(&memory{}, Options{MaxItems: n}).Add(t.Context(), named("a"))
		if want := fmt.Sprintf("maxItems %d is out of range: 1 to 1000", n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestManyAddAtOnce(t *testing.T) {
	q := &memory{}
	p := New(q, Options{MaxItems: 7})
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			for i := range 50 {
				if got, err := p.Add(t.Context(), named(fmt.Sprint(g, "-", i))); got != queue.Added || err != nil {
					t.Errorf("item %d of %d: %s, %v", i, g, got, err)
				}
			}
		})
	}
	all.Wait()
	p.Close()
	if len(q.items) != 800 {
		t.Errorf("the queue has %d items, want 800", len(q.items))
	}
	last := make(map[string]int)
	for _, it := range q.items {
		var g, i int
		if _, err := fmt.Sscanf(it.ID, "%d-%d", &g, &i); err != nil {
			t.Fatal(err)
		}
		if key := fmt.Sprint(g); last[key] != i {
			t.Fatalf("item %d of goroutine %d comes where %d should", i, g, last[key])
		} else {
			last[key]++
		}
	}
}
