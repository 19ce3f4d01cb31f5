package natsqueue

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice.dev/internal/natstest"
	"sluice.dev/queue"
)

// silent takes connections and says nothing.
func silent(t *testing.T) string {
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
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// connectTo connects and hangs up at once.
func connectTo(ctx context.Context, url string) error {
	p, err := parseURL(url)
	if err != nil {
		return err
	}
	nc, err := p.connect(ctx)
	if err == nil {
		nc.Close()
	}
	return err
}

func TestEachLoginConnects(t *testing.T) {
	secure, files := natstest.TLS(t)
	byKey, key := natstest.NKey(t)
	byCreds, creds := natstest.Creds(t, nil)
	for name, test := range map[string]struct{ conf, scheme, login, query string }{
		"none":      {"", "nats", "", ""},
		"user":      {"authorization { user: u, password: secret }", "nats", "u:secret@", ""},
		"token":     {"authorization { token: secret }", "nats", "secret@", ""},
		"TLS":       {secure, "tls", "", files.Params().Encode()},
		"nkey":      {byKey, "nats", "", "nkey=" + key},
		"creds":     {byCreds, "nats", "", "creds=" + creds},
		"a cluster": {"", "nats", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := natstest.Start(t, test.conf)
			hosts := s.Addr
			if name == "a cluster" {
				hosts = "127.0.0.1:1," + s.Addr // of which one node is down
			}
			if err := connectTo(t.Context(), test.scheme+"://"+test.login+hosts+"/?"+test.query); err != nil {
				t.Errorf("%v\n%s", err, s.Log())
			}
		})
	}
}

func TestAStoreThatIsNotToBeReachedIsToldInOneLine(t *testing.T) {
	open := natstest.Start(t)
	locked := natstest.Start(t, "authorization { user: u, password: p }")
	conf, files := natstest.TLS(t)
	secure := natstest.Start(t, conf)
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	_, key := natstest.NKey(t)
	params := files.Params()

	for name, test := range map[string]struct {
		url, want string
		again     bool // the same call may succeed later
	}{
		"nobody":              {"nats://127.0.0.1:1", "dial tcp 127.0.0.1:1: connect: connection refused", true},
		"nobody of three":     {"nats://127.0.0.1:1,127.0.0.1:2,127.0.0.1:3", "connection refused; dial tcp 127.0.0.1:", true},
		"wants a login":       {locked.URL(), "it wants a login: nats://user:password@host, nats://token@host, or a file: ?creds=, ?nkey=, ?tokenFile=: nats: Authorization Violation", false},
		"wants another":       {"nats://u:guess@" + locked.Addr, "it refuses the URL's login: nats: Authorization Violation", false},
		"wants another token": {"nats://guess@" + locked.Addr, "it refuses the URL's login", false},
		"knows no nkey":       {open.URL() + "?nkey=" + key, "it knows no login by nkey or creds", false},
		"web server":          {"nats://" + web.Listener.Addr().String(), "no NATS answers there: ", true},
		"silent":              {"nats://" + silent(t), "no NATS answers there: ", true},
		"wants TLS":           {secure.URL(), "its certificate is not to be trusted: tls://host/?ca=FILE names who has signed it: ", false},
		"wants a certificate": {"tls://" + secure.Addr + "?ca=" + params.Get("ca"), "it refuses this side's certificate, or has none itself: ", false},
		"TLS of another":      {"tls://" + secure.Addr, "x509: certificate signed by unknown authority", false},
		"TLS by another name": {"tls://" + secure.Addr + "?servername=other&" + params.Encode(), "x509: certificate is valid for sluice.test, not other", false},
		"has no TLS":          {"tls://" + open.Addr, "it has no TLS: write nats:// for tls://: ", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			err := connectTo(t.Context(), test.url)
			if err == nil {
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

func TestACancelledConnectReturnsAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	time.AfterFunc(50*time.Millisecond, cancel)
	err := connectTo(ctx, "nats://"+silent(t))
	if !errors.Is(err, context.Canceled) || time.Since(began) > 2*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}
