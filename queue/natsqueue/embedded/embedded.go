// Package embedded is a durable store in this process: a nats-server with
// JetStream on disk, which syncs every write before it acknowledges it. What it
// has acknowledged survives a killed process and a crashed host, as far as the
// disk keeps what it has confirmed.
package embedded

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"sluice.dev/queue/natsqueue"
)

const (
	// starting bounds how long the server may take to be ready once it has
	// read what it holds.
	starting = 20 * time.Second
	// maxPayload is what nats-server recommends as the most: items of 1 MiB
	// travel in fewer messages.
	maxPayload = 8 << 20
)

// Options says how a store is started.
type Options struct {
	// Dir is where the store is kept. It is made if it is not there, and
	// refused if it holds what no store has put there. One process at a
	// time has it.
	Dir string
	// Listen is host:port for clients; with port 0 the system chooses one.
	// If it is empty only Connect leads to the store.
	Listen string
	Token  string       // what clients must show; "" lets in everybody
	TLS    *tls.Config  // with it the server speaks TLS alone
	Log    *slog.Logger // gets the server's warnings and errors; nil drops them
}

// Store is a running store.
type Store struct {
	server *server.Server
	dir    string
	lock   *os.File
	scheme string
	token  string
	log    *slog.Logger

	leading atomic.Int64 // queues that Lead leads
}

// Start starts a store and reads what it holds. Its error is a *Busy if
// another process has the folder.
func Start(o Options) (*Store, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := free(o.Listen); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := prepare(dir); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	s, err := start(dir, o)
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("store %s: %w", dir, err)
	}
	s.lock = lock
	if err := note(lock, s.URL()); err != nil {
		s.Close()
		return nil, fmt.Errorf("store: lock: %w", err)
	}
	return s, nil
}

// free tells what keeps the server from listening, before anything is made. The
// server itself says it in a line of its log.
func free(listen string) error {
	if listen == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q: 0 to 65535 is allowed", port)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	return l.Close()
}

// start runs the server in a folder that is locked.
func start(dir string, o Options) (*Store, error) {
	so := &server.Options{
		ServerName: "sluice", StoreDir: dir, JetStream: true, SyncAlways: true, MaxPayload: maxPayload,
		DontListen: o.Listen == "", Authorization: o.Token, NoSigs: true, NoLog: true,
	}
	if o.Listen != "" {
		host, port, err := net.SplitHostPort(o.Listen)
		if err != nil {
			return nil, err
		}
		so.Host = host
		if so.Port, err = strconv.Atoi(port); err != nil {
			return nil, err
		}
		if so.Port == 0 {
			so.Port = server.RANDOM_PORT
		}
	}
	s := &Store{dir: dir, scheme: "nats", token: o.Token, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
	if o.TLS != nil {
		s.scheme, so.TLS, so.TLSConfig, so.TLSTimeout = "tls", true, o.TLS, 10
	}
	var err error
	if s.server, err = server.NewServer(so); err != nil {
		return nil, err
	}
	l := &logger{log: s.log}
	s.server.SetLoggerV2(l, false, false, false)
	if err := s.run(l); err != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
		return nil, err
	}
	return s, nil
}

// run returns when the server has read what it holds and is ready, or has met
// what ends it.
func (s *Store) run(l *logger) error {
	s.server.Start()
	for began := time.Now(); !s.server.ReadyForConnections(100 * time.Millisecond); {
		if text := l.fatal(); text != "" {
			return errors.New(text)
		}
		if time.Since(began) > starting {
			return fmt.Errorf("it is not ready after %s", starting)
		}
	}
	l.ready()
	all, system := s.server.GlobalAccount(), s.server.SystemAccount()
	if err := system.AddServiceExport(natsqueue.SettingsSubject, nil); err != nil {
		return err
	}
	return all.AddServiceImport(system, natsqueue.SettingsSubject, natsqueue.SettingsSubject)
}

// URL is where clients find the store, without its token; "" if only Connect
// leads there.
func (s *Store) URL() string {
	if s.server.Addr() == nil {
		return ""
	}
	return s.scheme + "://" + s.server.Addr().String()
}

// Connect makes a connection that needs no network. The caller closes it.
func (s *Store) Connect() (*nats.Conn, error) {
	nc, err := nats.Connect("", nats.InProcessServer(s.server), nats.Token(s.token), nats.Name("sluice"),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return nc, nil
}

// wrap says where an error met the store.
func (s *Store) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store %s: %w", s.dir, err)
}

// Close stops the store and gives up its folder; what it holds stays.
func (s *Store) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	_ = s.lock.Close()
}
