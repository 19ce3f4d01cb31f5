package natsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
)

// A cluster that was started a moment ago, and has still to elect its leader,
// is waited for by whoever comes first.
func TestOpenWaitsForAClusterThatStarts(t *testing.T) {
	t.Parallel()
	for what, first := range map[string]func(url string) error{
		"Open": func(url string) error {
			d, err := natsqueue.Open(t.Context(), url, "q")
			if err != nil {
				return err
			}
			defer d.Close()
			_, err = d.Enqueue(t.Context(), []queue.Item{{ID: "a"}})
			return err
		},
		"List": func(url string) error {
			names, err := natsqueue.List(t.Context(), url)
			if err == nil && len(names) > 0 {
				err = fmt.Errorf("queues %q, want none", names)
			}
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := natstest.LaunchCluster(t)
			began := time.Now()
			if err := first(c.URL() + "?replicas=3"); err != nil {
				t.Errorf("%v\n%s", err, c.Nodes[0].Log())
			}
			t.Logf("after %s", time.Since(began).Round(time.Millisecond))
		})
	}
}

// Where no leader comes it is said, when the caller's time is up.
func TestAClusterWithoutALeader(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, fmt.Sprintf("cluster { name: half, listen: %q, routes: [%q, %q] }",
		natstest.FreeAddr(t), "nats://127.0.0.1:1", "nats://127.0.0.1:2"))
	for what, ask := range map[string]func(context.Context) error{
		"Open": func(ctx context.Context) error { _, err := natsqueue.Open(ctx, s.URL(), "q"); return err },
		"List": func(ctx context.Context) error { _, err := natsqueue.List(ctx, s.URL()); return err },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			const limit = 1500 * time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			began := time.Now()
			err := ask(ctx)
			if err == nil {
				t.Fatal("no error")
			}
			if text := err.Error(); !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(text, "has no leader: more than half of its servers must run") || strings.Contains(text, "\n") {
				t.Errorf("error %q, want one line that says what is missing", err)
			}
			t.Log(err)
			if took := time.Since(began); took < limit-100*time.Millisecond || took > limit+3*time.Second {
				t.Errorf("it took %s, and was given %s", took, limit)
			}
		})
	}
}

// Who only looks makes no queue, though the one he looks at is dropped while
// he asks or while he stands for election.
func TestALookAtAQueueThatIsDropped(t *testing.T) {
	t.Parallel()
	url := natstest.Start(t).URL()
	js, err := jetstream.New(connect(t, url))
	if err != nil {
		t.Fatal(err)
	}
	for i, when := range []string{"listed", "standing", "elected", "loaded", "before a commit", "written"} {
		t.Run(when, func(t *testing.T) {
			o := natsqueue.Options{Queue: fmt.Sprint("q", i)}
			owner := open(t, url, o)
			if _, err := owner.Enqueue(t.Context(), []queue.Item{{ID: "a"}}); err != nil {
				t.Fatal(err)
			}
			if err := owner.Close(); err != nil {
				t.Fatal(err)
			}
			dropped := false
			drop := func(at string) bool {
				if at == when && !dropped {
					dropped = true
					if err := js.DeleteStream(t.Context(), "sluice="+o.Queue); err != nil {
						t.Error(err)
					}
				}
				return false
			}
			d := open(t, url, o)
			d.Hook(drop, 0)
			drop("listed")
			depth, err := d.Depth(t.Context())
			if err != nil || depth.Total() > 1 || !dropped {
				t.Errorf("depth is %+v, %v; dropped: %v", depth, err, dropped)
			}
			if names, err := natsqueue.Queues(t.Context(), js, ""); err != nil || len(names) > 0 {
				t.Errorf("there are queues %q, %v", names, err)
			}
		})
	}
}
