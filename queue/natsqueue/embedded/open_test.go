package embedded_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
	"sluice.dev/queue/natsqueue/embedded"
)

func open(t *testing.T, url, name string) queue.Driver {
	t.Helper()
	d, err := embedded.Open(t.Context(), url, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func dial(t *testing.T, url, name string) *natsqueue.Driver {
	t.Helper()
	d, err := natsqueue.Open(t.Context(), url, name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAFolderIsAStoreForAsLongAsAQueueIsOpen(t *testing.T) {
	url := "file:" + filepath.Join(t.TempDir(), "store")
	a, b := queue.New(open(t, url, "a")), queue.New(open(t, url, "b"))
	for _, q := range []*queue.Queue{a, b} {
		if out, err := q.Enqueue(t.Context(), []queue.Item{{ID: "1"}}); err != nil || out[0] != queue.Added {
			t.Fatal(out, err)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("a second close: %v", err)
	}
	if d, err := b.Depth(t.Context()); err != nil || d.Ready != 1 {
		t.Errorf("the other's depth: %+v, %v", d, err)
	}
	names, err := embedded.Queues(t.Context(), url)
	if err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("queues %q, %v", names, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}

	again := queue.New(open(t, url, "a"))
	r, err := again.Session("w").Exchange(t.Context(), nil, 1)
	if err != nil || len(r.Leases) != 1 {
		t.Errorf("claim after the store was closed: %+v, %v", r, err)
	}
}

func TestAFolderThatIsServedIsNotOpenedBesides(t *testing.T) {
	dir := t.TempDir()
	start(t, embedded.Options{Dir: dir, Listen: "127.0.0.1:0"})
	for name, err := range map[string]error{
		"open":     second(embedded.Open(t.Context(), "file:"+dir, "q")),
		"queues":   second(embedded.Queues(t.Context(), "file:"+dir)),
		"diagnose": second(embedded.Diagnose(t.Context(), "file:"+dir)),
	} {
		if _, busy := errors.AsType[*embedded.Busy](err); !busy {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestOfAFolderAllIsKnown(t *testing.T) {
	list, err := embedded.Diagnose(t.Context(), "file:"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if f.Verdict != queue.VerdictOK {
			t.Errorf("finding %+v", f)
		}
	}
}

// Whoever serves a store leads its queues, so that a client which comes for a
// moment need not.
func TestTheServingProcessLeads(t *testing.T) {
	s := start(t, embedded.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	ended := make(chan error, 1)
	go func() { ended <- s.Lead(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	d := dial(t, s.URL(), "q")
	if _, err := queue.New(d).Enqueue(t.Context(), []queue.Item{{ID: "1"}}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	after := dial(t, s.URL(), "q")
	defer after.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(20 * time.Second); s.Leading() != 1; {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("nobody leads in 20 s")
		}
	}
	if depth, err := after.Depth(t.Context()); err != nil || depth.Ready != 1 || after.Leads() {
		t.Errorf("depth %+v, %v; the client leads: %v", depth, err, after.Leads())
	}
	if err := after.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for limit := time.After(20 * time.Second); s.Leading() != 0; {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("a queue that is gone is led for 20 s")
		}
	}
}
