package natsqueue

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// Open connects to a store by its URL, and opens a queue there. Closing the
// driver ends the connection.
//
//	nats://[user:password@|token@]host[:port][,host...][/][?parameters]
//	tls://...
//
// With tls every connection uses TLS, with the parameters ca, cert and key
// (files), and servername. Logins may also be files, as creds, nkey or
// tokenFile. prefix and replicas are those of Options.
func Open(ctx context.Context, url, name string) (*Driver, error) {
	p, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	nc, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	d, err := New(ctx, nc, Options{Queue: name, Prefix: p.prefix, Replicas: p.replicas})
	if err != nil {
		nc.Close()
		return nil, p.wrap(err)
	}
	d.release = nc.Close
	return d, nil
}

// List lists the queues of the store that a URL leads to, by name.
func List(ctx context.Context, url string) ([]string, error) {
	p, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	nc, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, p.wrap(err)
	}
	names, err := Queues(ctx, js, p.prefix)
	if err != nil {
		return nil, p.wrap(err)
	}
	return names, nil
}
