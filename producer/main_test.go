package producer

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is an Enqueuer that keeps items as the contract says.
type memory struct {
	mu      sync.Mutex
	items   []queue.Item
	byID    map[string]string // payload
	outputs map[string]bool
	closed  string // a batch
	calls   []int  // items of each
}

func (q *memory) Enqueue(_ context.Context, items []queue.Item) ([]queue.Outcome, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byID == nil {
		q.byID, q.outputs = map[string]string{}, map[string]bool{}
	}
	q.calls = append(q.calls, len(items))
	var out []queue.Outcome
	for _, it := range items {
		known, ok := q.byID[it.ID]
		switch {
		case it.Batch != "" && it.Batch == q.closed:
			out = append(out, queue.BatchClosed)
		case ok && known == string(it.Payload):
			out = append(out, queue.Duplicate)
		case ok:
			out = append(out, queue.Conflict)
		case it.Output != "" && q.outputs[it.Output]:
			out = append(out, queue.OutputTaken)
		default:
			q.byID[it.ID], q.outputs[it.Output] = string(it.Payload), true
			q.items = append(q.items, it)
			out = append(out, queue.Added)
		}
	}
	return out, nil
}

// args is what the kept items are about, in order.
func (q *memory) args(t *testing.T) []string {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	var args []string
	for _, it := range q.items {
		args = append(args, decode(t, it).Arg)
	}
	return args
}

func decode(t *testing.T, it queue.Item) payload.Payload {
	t.Helper()
	pl, err := payload.Decode(it.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return pl
}

func newMaker(t testing.TB, o MakerOptions) *Maker {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	m, err := NewMaker(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// collect is the arguments that a source yields, up to its error.
func collect(src Source) (args []string, err error) {
	for r, err := range src {
		if err != nil {
			return args, err
		}
		args = append(args, r.Arg)
	}
	return args, nil
}

// oldFile writes a file that is old enough to be known by its stat.
func oldFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

func arg(s string) Record { return Record{Arg: s, Pos: Position{Name: "test"}} }
