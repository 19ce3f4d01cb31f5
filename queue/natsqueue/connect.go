package natsqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"sluice.dev/queue"
)

const (
	greeting  = 5 * time.Second        // bounds how long a server may take to answer the first bytes
	reconnect = 200 * time.Millisecond // between two tries at a server that went away
	heartbeat = 10 * time.Second       // two of them without an answer end a connection
)

// wrap says where an error met the store, in one line.
func (p *place) wrap(err error) error {
	return fmt.Errorf("store %s: %w", p.name, line{err})
}

// line is an error whose text has one line.
type line struct{ error }

func (l line) Error() string { return strings.ReplaceAll(l.error.Error(), "\n", "; ") }
func (l line) Unwrap() error { return l.error }

// connect makes a connection that stays for good: it follows servers that go
// away and come back. What is sent while there is none fails at once, for the
// callers to repeat. The client would print what it meets on stderr; it all
// comes back as errors too, and only a program's main speaks to people.
func (p *place) connect(ctx context.Context) (*nats.Conn, error) {
	d := &dialer{ctx: ctx}
	options := append([]nats.Option{
		nats.Name("sluice"),
		nats.Timeout(greeting),
		nats.SetCustomDialer(d),
		nats.ReconnectBufSize(-1),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnect),
		nats.ReconnectJitter(reconnect, reconnect),
		nats.PingInterval(heartbeat),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, p.options...)
	type result struct {
		nc  *nats.Conn
		err error
	}
	c := make(chan result, 1)
	go func() {
		nc, err := nats.Connect(strings.Join(p.servers, ","), options...)
		d.done()
		c <- result{nc, err}
	}()
	select {
	case r := <-c:
		if r.err != nil {
			return nil, p.wrap(p.explain(r.err, d.failed()))
		}
		return r.nc, nil
	case <-ctx.Done():
		go func() {
			if r := <-c; r.nc != nil {
				r.nc.Close()
			}
		}()
		return nil, p.wrap(ctx.Err())
	}
}

// explain says what to do about an error of the first connection.
func (p *place) explain(err, dialled error) error {
	switch {
	case errors.Is(err, nats.ErrAuthorization) && p.login:
		return fmt.Errorf("it refuses the URL's login: %w", err)
	case errors.Is(err, nats.ErrAuthorization):
		return fmt.Errorf("it wants a login: nats://user:password@host, nats://token@host, or a file: ?creds=, ?nkey=, ?tokenFile=: %w", err)
	case errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return fmt.Errorf("it refuses the URL's login: %w", err)
	case errors.Is(err, nats.ErrNkeysNotSupported):
		return fmt.Errorf("it knows no login by nkey or creds: %w", err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("it has no TLS: write nats:// for tls://: %w", err)
	case strings.Contains(err.Error(), "x509: "):
		return fmt.Errorf("its certificate is not to be trusted: tls://host/?ca=FILE names who has signed it: %w", err)
	case strings.Contains(err.Error(), "tls: "), strings.Contains(err.Error(), "closed by remote after TLS handshake"):
		return fmt.Errorf("it refuses this side's certificate, or has none itself: tls://host/?cert=FILE&key=FILE shows one: %w", err)
	}
	if dialled != nil {
		return fmt.Errorf("%w: %w", queue.ErrUnavailable, dialled)
	}
	return fmt.Errorf("%w: no NATS answers there: %w", queue.ErrUnavailable, err)
}

// dialer keeps what failed, which the client leaves out of its error. The
// context ends the first connection alone.
type dialer struct {
	mu  sync.Mutex
	ctx context.Context // nil once connected
	err error
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	d.mu.Lock()
	ctx := cmp.Or(d.ctx, context.Background())
	d.mu.Unlock()
	conn, err := (&net.Dialer{Timeout: greeting}).DialContext(ctx, network, address)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx != nil && err != nil {
		d.err = errors.Join(d.err, err)
	}
	return conn, err
}

func (d *dialer) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ctx = nil
}

// failed is why no server could be reached.
func (d *dialer) failed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
