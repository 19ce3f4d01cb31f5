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

func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error %q does not say %q", err, w)
		}
	}
	if errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("%q is said to pass by itself", err)
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	nc := connect(t, natstest.Start(t).URL())
	for _, bad := range []struct {
		o     natsqueue.Options
		words []string
	}{
		{natsqueue.Options{}, []string{"queue name", "0 bytes"}},
		{natsqueue.Options{Queue: "A"}, []string{`queue name "A"`}},
		{natsqueue.Options{Queue: "q", Prefix: "a.b"}, []string{`prefix "a.b"`, "letters, digits"}},
		{natsqueue.Options{Queue: "q", Prefix: strings.Repeat("x", 65)}, []string{"65 bytes"}},
		{natsqueue.Options{Queue: "q", Replicas: 6}, []string{"replicas 6", "1 to 5"}},
		{natsqueue.Options{Queue: "q", Replicas: -1}, []string{"replicas -1"}},
	} {
		_, err := natsqueue.New(t.Context(), nc, bad.o)
		wantError(t, err, bad.words...)
	}
}

func TestAServerWithoutJetStream(t *testing.T) {
	t.Parallel()
	_, err := natsqueue.New(t.Context(), connect(t, natstest.Start(t, "jetstream: false").URL()), natsqueue.Options{Queue: "q"})
	if err == nil || !strings.Contains(err.Error(), "not enabled") {
		t.Errorf("New: %v", err)
	}
}

// A stream that would lose what it is given, or that is another's, is refused
// when the queue is opened.
func TestForeignStreams(t *testing.T) {
	t.Parallel()
	nc := connect(t, natstest.Start(t).URL())
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	// With its last stream a server removes the folder of all, also from under
	// one that is made just then.
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "other", Subjects: []string{"other"}}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for what, spoil := range map[string]func(*jetstream.StreamConfig){
		"is not one of sluice's": func(c *jetstream.StreamConfig) { c.Subjects = []string{"orders.*"} },
		"memory":                 func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"retention":              func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy },
		"max_age 1h":             func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"max_msgs 10":            func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 },
		"max_bytes 1000":         func(c *jetstream.StreamConfig) { c.MaxBytes = 1000 },
		"max_msgs_per_subject 1": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 },
		"max_msg_size is 100":    func(c *jetstream.StreamConfig) { c.MaxMsgSize = 100 },
		"denies purge":           func(c *jetstream.StreamConfig) { c.DenyPurge = true },
	} {
		n++
		q := fmt.Sprint("q", n)
		c := jetstream.StreamConfig{Name: "sluice=" + q, Subjects: []string{"sluice." + q + ".log.*"}}
		spoil(&c)
		if _, err := js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		_, err := natsqueue.New(t.Context(), nc, natsqueue.Options{Queue: q})
		wantError(t, err, "sluice="+q, what)
		if err := js.DeleteStream(t.Context(), c.Name); err != nil { // another may have its subjects
			t.Fatal(err)
		}
	}
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	url := natstest.Start(t).URL()
	_, err := open(t, url, natsqueue.Options{Queue: "q", Replicas: 3}).Enqueue(t.Context(), []queue.Item{{ID: "a"}})
	wantError(t, err, "replicas")
	d := open(t, url, natsqueue.Options{Queue: "q"})
	if _, err := d.Enqueue(t.Context(), []queue.Item{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	_, err = natsqueue.New(t.Context(), connect(t, url), natsqueue.Options{Queue: "q", Replicas: 3})
	wantError(t, err, "has 1 replicas, and 3 were asked for", "nats stream edit sluice=q")
}

func TestALoginWithoutPermission(t *testing.T) {
	t.Parallel()
	url := natstest.Start(t, `authorization { users: [
		{user: none, password: p, permissions: {publish: ["other.>"], subscribe: ["_INBOX.>"]}},
		{user: deaf, password: p, permissions: {subscribe: ["sluice.>"]}},
		{user: half, password: p, permissions: {publish: ["$JS.API.>"], subscribe: ["_INBOX.>"]}},
		{user: client, password: p, permissions: {publish: ["$JS.API.>", "sluice.*.ask"]}},
	] }`).URL()
	depth := func(d *natsqueue.Driver) error { _, err := d.Depth(t.Context()); return err }
	add := func(d *natsqueue.Driver) error {
		_, err := d.Enqueue(t.Context(), []queue.Item{{ID: "a"}})
		return err
	}
	for user, test := range map[string]struct {
		denied string
		ask    func(d *natsqueue.Driver) error
	}{
		"none":   {"$JS.API.STREAM.INFO.sluice=q", nil},
		"deaf":   {`Subscription to "_INBOX.`, nil},
		"half":   {`"sluice.q.ask"`, depth},
		"client": {`"sluice.q.log.lead"`, add},
	} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			nc := connect(t, strings.Replace(url, "nats://", "nats://"+user+":p@", 1))
			began := time.Now()
			d, err := natsqueue.New(t.Context(), nc, natsqueue.Options{Queue: "q"})
			if test.ask != nil && err == nil {
				defer d.Close()
				began, err = time.Now(), test.ask(d)
			}
			wantError(t, err, "permission", test.denied)
			// Sooner than a leader that does not answer is given up.
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("that took %s", took)
			} else {
				t.Logf("after %s", took)
			}
		})
	}
}

// A login that may ask and not lead waits for one that may.
func TestALoginThatMayNotLead(t *testing.T) {
	t.Parallel()
	url := natstest.Start(t, `authorization { users: [
		{user: owner, password: p}
		{user: client, password: p, permissions: {publish: ["$JS.API.>", "sluice.*.ask"]}},
	] }`).URL()
	login := func(user string) *natsqueue.Driver {
		return open(t, strings.Replace(url, "nats://", "nats://"+user+":p@", 1), natsqueue.Options{Queue: "q"})
	}
	first, next, client := login("owner"), login("owner"), login("client")
	if _, err := first.Enqueue(t.Context(), []queue.Item{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	stood := make(chan struct{}, 100)
	client.Hook(func(at string) bool {
		if at == "standing" {
			stood <- struct{}{}
		}
		return false
	}, 0)
	done := make(chan error)
	go func() {
		depth, err := client.Depth(t.Context())
		if err == nil && depth.Ready != 1 {
			err = fmt.Errorf("depth %+v", depth)
		}
		done <- err
	}()
	for range 2 { // the first election has failed when it stands for another
		<-stood
	}
	if _, err := next.Depth(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A stream that is full says so, and goes on when there is room.
func TestAFullStream(t *testing.T) {
	t.Parallel()
	url := natstest.Start(t).URL()
	js, err := jetstream.New(connect(t, url))
	if err != nil {
		t.Fatal(err)
	}
	c := jetstream.StreamConfig{Name: "sluice=q", Subjects: []string{"sluice.q.log.*"}, MaxBytes: 64 << 10, Discard: jetstream.DiscardNew}
	if _, err := js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	d := open(t, url, natsqueue.Options{Queue: "q"})
	large := func(id string) error {
		_, err := d.Enqueue(t.Context(), []queue.Item{{ID: id, Payload: make([]byte, 40<<10)}})
		return err
	}
	if err := large("a"); err != nil {
		t.Fatal(err)
	}
	if err := large("b"); !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), "max_bytes") {
		t.Errorf("Enqueue: %v, want %v and why", err, queue.ErrUnavailable)
	}
	c.MaxBytes = 1 << 20
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := large("b"); err != nil {
		t.Errorf("when there is room: %v", err)
	}
	if depth, err := d.Depth(t.Context()); err != nil || depth.Ready != 2 {
		t.Errorf("depth is %+v, %v; want 2 ready", depth, err)
	}
}

// A log of a version to come is not read as if it were of this one.
func TestALogOfALaterVersion(t *testing.T) {
	t.Parallel()
	url := natstest.Start(t).URL()
	d := open(t, url, natsqueue.Options{Queue: "q"})
	if _, err := d.Enqueue(t.Context(), []queue.Item{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(connect(t, url))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "sluice.q.log.lead", []byte{9, 1}); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, url, natsqueue.Options{Queue: "q"}).Depth(t.Context())
	wantError(t, err, "format 9", "a later one")
}

// Without a server a call ends with its context, or says after a while that the
// store is not there.
func TestAServerThatIsGone(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t)
	d := open(t, s.URL(), natsqueue.Options{Queue: "q"})
	if _, err := d.Enqueue(t.Context(), []queue.Item{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := d.Depth(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Depth: %v, want %v", err, context.DeadlineExceeded)
	}
	if _, err := d.Depth(t.Context()); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("Depth: %v, want %v", err, queue.ErrUnavailable)
	}
	s.Restart(t)
	if depth, err := d.Depth(t.Context()); err != nil || depth.Ready != 1 {
		t.Errorf("after a restart the depth is %+v, %v", depth, err)
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()
	nc := connect(t, natstest.Start(t).URL())
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	want := func(prefix string, names ...string) {
		t.Helper()
		got, err := natsqueue.Queues(t.Context(), js, prefix)
		if err != nil || strings.Join(got, " ") != strings.Join(names, " ") {
			t.Errorf("Queues(%q) = %q, %v; want %q", prefix, got, err, names)
		}
	}
	want("")
	for _, o := range []natsqueue.Options{{Queue: "b"}, {Queue: "a.b-c"}, {Queue: "z", Prefix: "other"}, {Queue: "looked-at"}} {
		d, err := natsqueue.New(t.Context(), nc, o)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if o.Queue == "looked-at" {
			if depth, err := d.Depth(t.Context()); err != nil || depth.NextDue >= 0 {
				t.Errorf("the depth of nothing is %+v, %v", depth, err)
			}
			continue
		}
		if _, err := d.Enqueue(t.Context(), []queue.Item{{ID: "a"}}); err != nil {
			t.Fatal(err)
		}
		if o.Queue == "b" {
			defer func() {
				if err := d.Drop(t.Context()); err != nil {
					t.Error(err)
				}
				want("", "a.b-c")
			}()
		}
	}
	want("", "a.b-c", "b")
	want("other", "z")
	_, err = natsqueue.Queues(t.Context(), js, "no.prefix")
	wantError(t, err, "prefix")
}
