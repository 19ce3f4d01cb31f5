package redisqueue_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"

	"sluice.dev/internal/certtest"
	"sluice.dev/internal/redistest"
	"sluice.dev/queue"
	"sluice.dev/queue/queuetest"
	"sluice.dev/queue/redisqueue"
)

func TestConformanceOfEachURL(t *testing.T) {
	for name, url := range map[string]func(t *testing.T) string{
		"TLS": func(t *testing.T) string { return redistest.StartTLS(t).URL() },
		"unix socket": func(t *testing.T) string {
			socket := filepath.Join(t.TempDir(), "s")
			redistest.Start(t, "--unixsocket", socket)
			return "unix://" + socket
		},
		"Sentinel":         func(t *testing.T) string { return redistest.StartWatched(t).URL() },
		"cluster":          func(t *testing.T) string { return redistest.StartCluster(t).URL() },
		"Sentinel and TLS": func(t *testing.T) string { return redistest.StartWatchedTLS(t).URL() },
		"cluster and TLS":  func(t *testing.T) string { return redistest.StartClusterTLS(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queuetest.Run(t, harness(url(t)))
		})
	}
}

// listen serves each connection by f.
func listen(t *testing.T, f func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// pretender is a server that greets as it is told, and answers EXISTS.
func pretender(t *testing.T, version, exists string) string {
	s, err := server.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for name, cmd := range map[string]server.Cmd{
		"HELLO": func(c *server.Peer, _ string, _ []string) {
			c.Resp3 = true
			fields := []string{"server", "redis", "version", version, "mode", "standalone", "role", "master"}
			c.WriteMapLen(len(fields) / 2)
			for _, f := range fields {
				c.WriteBulk(f)
			}
		},
		"CLIENT": func(c *server.Peer, _ string, _ []string) { c.WriteOK() },
		"EXISTS": func(c *server.Peer, _ string, _ []string) { c.WriteError(exists) },
	} {
		if err := s.Register(name, cmd); err != nil {
			t.Fatal(err)
		}
	}
	return "redis://" + s.Addr().String()
}

func TestAStoreThatCannotKeepAQueueIsRefusedInOneLine(t *testing.T) {
	open := redistest.Start(t)
	locked := redistest.Start(t, "--requirepass", "secret")
	secure := redistest.StartTLS(t)
	watched := redistest.StartWatched(t)
	member := redistest.Start(t, "--cluster-enabled", "yes", "--cluster-port", "0")
	user(t, open, "stranger", "~other:*", "+@all")
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	shut := listen(t, func(net.Conn) {})

	for name, test := range map[string]struct {
		url, want string
		again     bool // the same call may succeed later
	}{
		"nobody":               {"redis://127.0.0.1:1", "dial tcp 127.0.0.1:1: connect: connection refused", true},
		"no socket":            {"unix:///nowhere/s", "dial unix /nowhere/s: connect: no such file or directory", true},
		"no Sentinel":          {"redis+sentinel://127.0.0.1:1,127.0.0.1:2/m", "all sentinels specified in configuration are unreachable", true},
		"no cluster":           {"redis+cluster://127.0.0.1:1,127.0.0.1:2", "connection refused", true},
		"wants a password":     {locked.URL(), "it wants a password: redis://:PASSWORD@host:port: NOAUTH", false},
		"wants another":        {"redis://:guess@" + locked.Addr, "it refuses the URL's user and password: WRONGPASS", false},
		"has no such user":     {"redis://who:guess@" + open.Addr, "it refuses the URL's user and password: WRONGPASS", false},
		"may not":              {"redis://stranger:guess@" + open.Addr, "the URL's user may not do this: it needs all commands but dangerous ones on the keys sluice:*: NOPERM", false},
		"has fewer databases":  {open.URL() + "/99", "ERR DB index is out of range", false},
		"web server":           {"redis://" + web.Listener.Addr().String(), "no Redis without TLS answers there: ", false},
		"silent":               {"redis://" + silent, "no Redis without TLS answers there: ", true},
		"hangs up":             {"redis://" + shut, "no Redis without TLS answers there: ", true},
		"wants TLS":            {"redis://" + secure.Addr, "no Redis without TLS answers there: EOF", true},
		"TLS of another":       {"rediss://" + secure.Addr, "x509: certificate signed by unknown authority", false},
		"TLS by another name":  {secure.URL() + "&servername=other", "x509: certificate is valid for " + certtest.Name + ", not other", false},
		"has no TLS":           {"rediss://" + open.Addr, "no Redis with TLS answers there: ", true},
		"replica":              {watched.Replica.URL(), "it is a replica, which takes no writes: name its primary", false},
		"Sentinel":             {strings.Replace(strings.TrimSuffix(watched.URL(), "/primary"), "+sentinel", "", 1), "it is a Sentinel: redis+sentinel://host:port/PRIMARY is its URL", false},
		"Sentinel of others":   {watched.URL() + "x", `its Sentinel knows no primary "primaryx"`, false},
		"not a Sentinel":       {"redis+sentinel://" + open.Addr + "/m", "no Sentinel answers there: redis: all sentinels", false},
		"member of a cluster":  {member.URL(), "it is a node of a cluster: redis+cluster://host:port is its URL", false},
		"cluster without slot": {"redis+cluster://" + member.Addr, "CLUSTERDOWN Hash slot not served", true},
		"not a cluster":        {"redis+cluster://" + open.Addr, "ERR This instance has cluster support disabled", false},
		"old":                  {pretender(t, "6.2.14", ""), "it is Redis 6.2.14: 7.0 or later is needed", false},
		"loads its data":       {pretender(t, "7.0.15", "LOADING Redis is loading the dataset in memory"), "LOADING Redis is loading", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			d, err := redisqueue.Open(t.Context(), redisqueue.Options{URL: test.url, Queue: "q"})
			if err == nil {
				_ = d.Close()
				t.Fatal("it is accepted")
			}
			t.Log(err)
			text := err.Error()
			if !strings.HasPrefix(text, "store ") || !strings.Contains(text, test.want) || errors.Is(err, queue.ErrUnavailable) != test.again {
				t.Errorf("error %q, want %q in it, and unavailable: %v", text, test.want, test.again)
			}
			if strings.Contains(text, "\n") || strings.Contains(text, "guess") {
				t.Errorf("error %q holds a new line or a password", text)
			}
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// user makes one, with the password "guess".
func user(t *testing.T, s *redistest.Server, name string, rules ...any) {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer c.Close()
	if err := c.Do(t.Context(), append([]any{"ACL", "SETUSER", name, "on", ">guess"}, rules...)...).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestAUserMayBeKeptToTheKeysOfQueues(t *testing.T) {
	s := redistest.Start(t)
	user(t, s, "sluice", "~sluice:*", "&sluice:*", "+@all", "-@dangerous")
	q := queue.New(harness("redis://sluice:guess@"+s.Addr).Open(t, "q"))
	if _, err := q.Enqueue(t.Context(), []queue.Item{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	r, err := q.Session("w").Exchange(t.Context(), nil, 1)
	if err != nil || len(r.Leases) != 1 {
		t.Errorf("claim: %+v, %v", r, err)
	}
	if err := q.Watch(t.Context(), time.Millisecond); err != nil {
		t.Error(err)
	}
	if _, err := q.Items(t.Context(), queue.Query{}); err != nil {
		t.Error(err)
	}
	if w, err := q.Driver.(*redisqueue.Driver).Warnings(t.Context()); err != nil || w != nil {
		t.Errorf("warnings %q, %v; want none of one who may not ask", w, err)
	}
	if err := q.Drop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAFullStoreTakesNoItemsAndLetsGoOfThoseThatItHas(t *testing.T) {
	s := redistest.Start(t, "--maxmemory-policy", "noeviction")
	q := queue.New(harness(s.URL()).Open(t, "q"))
	if _, err := q.Enqueue(t.Context(), []queue.Item{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: "e"}}); err != nil {
		t.Fatal(err)
	}
	w := q.Session("w")
	r, err := w.Exchange(t.Context(), nil, 4)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer c.Close()
	if err := c.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}

	_, err = q.Driver.Enqueue(t.Context(), []queue.Item{{ID: "f"}})
	const want = "store unavailable: its memory is full and nothing more is taken: free some, or raise maxmemory: OOM"
	if !errors.Is(err, queue.ErrUnavailable) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("enqueue: %v, want %q", err, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if errs, err := w.Extend(ctx, r.Leases); err != nil || errors.Join(errs...) != nil {
		t.Errorf("extend: %v, %v", errs, err)
	}
	if err := w.Commit(ctx, r.Leases[0], []byte("record")); err != nil {
		t.Errorf("commit: %v", err)
	}
	for i, verb := range []queue.Verb{queue.Bury, queue.Nack, queue.Release, queue.Ack} {
		r, err := w.Exchange(ctx, []queue.Settlement{{Lease: r.Leases[i], Verb: verb}}, 0)
		if err != nil || r.Settled[0] != nil {
			t.Errorf("%s: %+v, %v", verb, r, err)
		}
	}
	if r, err := w.Exchange(ctx, nil, 1); err != nil || len(r.Leases) != 1 {
		t.Errorf("claim: %+v, %v", r, err)
	}
	if errs, err := q.ChangeItems(ctx, queue.DeleteItem, []string{"b"}); err != nil || errs[0] != nil {
		t.Errorf("delete: %v, %v", errs, err)
	}
	for _, verb := range []queue.BatchVerb{queue.SuspendBatch, queue.ResumeBatch, queue.CancelBatch, queue.DeleteBatch} {
		if err := q.ChangeBatch(ctx, "", verb); err != nil && !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

func TestAStoreThatMayEvictIsWarnedOf(t *testing.T) {
	for _, test := range []struct{ policy, maxmemory, want string }{
		{"allkeys-lru", "1gb", "maxmemory-policy is allkeys-lru: once its memory is full it evicts queues: set noeviction"},
		{"allkeys-random", "1gb", "maxmemory-policy is allkeys-random"},
		{"allkeys-lru", "0", ""},
		{"volatile-lru", "1gb", ""}, // no key has a time to live
		{"noeviction", "1gb", ""},
	} {
		s := redistest.Start(t, "--maxmemory-policy", test.policy, "--maxmemory", test.maxmemory)
		checkWarnings(t, s.URL(), test.want)
	}
	checkWarnings(t, embeddedStore(t), "")
}

func checkWarnings(t *testing.T, url, want string) {
	t.Helper()
	d, err := redisqueue.Open(t.Context(), redisqueue.Options{URL: url, Queue: "q"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := d.Warnings(t.Context())
	if err != nil || len(got) > 0 != (want != "") || !strings.Contains(strings.Join(got, ""), want) {
		t.Errorf("warnings %q, %v; want %q", got, err, want)
	}
}
