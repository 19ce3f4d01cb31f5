package embedded_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"sluice.dev/internal/certtest"
	"sluice.dev/internal/natstest"
	"sluice.dev/queue/natsqueue/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o embedded.Options) *embedded.Store {
	t.Helper()
	s, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func publish(t *testing.T, nc *nats.Conn) uint64 {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "s", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	ack, err := js.Publish(t.Context(), "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

func TestAStoreKeepsWhatItHolds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "store")
	for i := range 3 {
		s, err := embedded.Start(embedded.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if s.URL() != "" {
			t.Errorf("URL %q of a store that does not listen", s.URL())
		}
		nc, err := s.Connect()
		if err != nil {
			t.Fatal(err)
		}
		if at := publish(t, nc); at != uint64(i+1) {
			t.Errorf("start %d: sequence %d", i, at)
		}
		nc.Close()
		s.Close()
	}
}

func TestAStoreLetsInWhoHasItsToken(t *testing.T) {
	f := certtest.Write(t, t.TempDir())
	for name, test := range map[string]struct {
		o        embedded.Options
		scheme   string
		options  []nats.Option
		stranger bool // may connect
	}{
		"open":  {embedded.Options{}, "nats://127.0.0.1:", nil, true},
		"token": {embedded.Options{Token: "t"}, "nats://127.0.0.1:", []nats.Option{nats.Token("t")}, false},
		"TLS":   {embedded.Options{TLS: f.Config(t), Token: "t"}, "tls://127.0.0.1:", []nats.Option{nats.Token("t"), nats.Secure(f.Config(t))}, false},
	} {
		t.Run(name, func(t *testing.T) {
			test.o.Dir, test.o.Listen = t.TempDir(), "127.0.0.1:0"
			s := start(t, test.o)
			if !strings.HasPrefix(s.URL(), test.scheme) {
				t.Errorf("URL %q, want %s...", s.URL(), test.scheme)
			}
			nc, err := nats.Connect(s.URL(), test.options...)
			if err != nil {
				t.Fatal(err)
			}
			publish(t, nc)
			nc.Close()
			own, err := s.Connect()
			if err != nil {
				t.Fatal(err)
			}
			publish(t, own)
			own.Close()
			if nc, err := nats.Connect(s.URL()); (err == nil) != test.stranger {
				t.Errorf("a stranger: %v", err)
			} else if err == nil {
				nc.Close()
			}
		})
	}
}

func TestOneProcessAtATimeHasTheFolder(t *testing.T) {
	dir := t.TempDir()
	alone := start(t, embedded.Options{Dir: dir})
	_, err := embedded.Start(embedded.Options{Dir: dir})
	busy, ok := errors.AsType[*embedded.Busy](err)
	want := fmt.Sprintf("store %s is in use by process %d alone: for several processes run 'sluice up --store file:%s' and use the URL that it prints", dir, os.Getpid(), dir)
	if !ok || err.Error() != want || busy.PID != fmt.Sprint(os.Getpid()) {
		t.Errorf("error %v, want %s", err, want)
	}
	alone.Close()

	serving := start(t, embedded.Options{Dir: dir, Listen: "127.0.0.1:0"})
	_, err = embedded.Start(embedded.Options{Dir: dir})
	want = fmt.Sprintf("store %s is in use by process %d, which serves it to all at %s: use that URL for it", dir, os.Getpid(), serving.URL())
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestAStoreThatCannotStartSaysWhy(t *testing.T) {
	others := t.TempDir()
	if err := os.WriteFile(filepath.Join(others, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, test := range map[string]struct {
		o    embedded.Options
		want string
	}{
		"another's folder": {embedded.Options{Dir: others}, "holds thesis.tex, which is no store's: name a new or an empty folder"},
		"a file":           {embedded.Options{Dir: filepath.Join(others, "thesis.tex")}, "not a directory"},
		"a taken port":     {embedded.Options{Dir: t.TempDir(), Listen: taken.Addr().String()}, "address already in use"},
		"no port":          {embedded.Options{Dir: t.TempDir(), Listen: "127.0.0.1"}, "missing port in address"},
		"a named port":     {embedded.Options{Dir: t.TempDir(), Listen: "127.0.0.1:nats"}, `port "nats": 0 to 65535 is allowed`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := embedded.Start(test.o)
			if err == nil {
				s.Close()
				t.Fatal("it starts")
			}
			t.Log(err)
			if !strings.HasPrefix(err.Error(), "store") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q, want %q in it", err, test.want)
			}
		})
	}
}

func TestClientsMayAskForTheSettings(t *testing.T) {
	s := start(t, embedded.Options{Dir: t.TempDir(), Listen: natstest.FreeAddr(t)})
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	m, err := nc.RequestWithContext(t.Context(), "$SYS.REQ.SERVER.PING.VARZ", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(m.Data), `"sync_always":true`) {
		t.Errorf("settings: %s", m.Data)
	}
}
