package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"sluice.dev/internal/printer"
	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
	"sluice.dev/queue/natsqueue/embedded"
	"sluice.dev/queue/redisqueue"
)

const (
	storeVar = "SLUICE_STORE"
	// patience with a store that does not answer, for a person who waits.
	storeLimit = 10 * time.Second
)

// storeFlags say which store a verb speaks to.
type storeFlags struct {
	store   string
	context string
}

func (f *storeFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.store, "store", "", "`URL` of the store, such as redis://host:6379/0, nats://host:4222 or file:DIR; a password is safer in $"+storeVar+" or a context")
	fs.StringVar(&f.context, "context", "", "`NAME` of the context whose store is meant; see 'sluice config'")
}

// place is a store: its URL, what speaks to it, and what said so, for errors.
type place struct {
	url    string
	driver driver
	said   string
}

// find is the store that is meant: a flag's before the environment's before
// that of the context in use.
func (f *storeFlags) find() (place, error) {
	switch {
	case f.store != "" && f.context != "":
		return place{}, usagef("--store and --context: one of them is allowed")
	case f.store != "":
		return checked(f.store, "--store")
	case f.context != "":
		return contextStore(f.context)
	case os.Getenv(storeVar) != "":
		return checked(os.Getenv(storeVar), storeVar)
	}
	return contextStore("")
}

// checked is the place of a URL that is one of a store. Errors leave out the
// login.
func checked(url, said string) (place, error) {
	d, err := driverOf(url)
	if err == nil {
		err = d.check(url)
	}
	if err != nil {
		return place{}, usagef("%s: %w", said, err)
	}
	if dir, err := embedded.Folder(url); err == nil {
		url = embedded.Scheme + ":" + dir // the same one from another folder
	}
	return place{url, d, said}, nil
}

// driver is what speaks to stores of one kind.
type driver struct {
	check    func(url string) error
	open     func(ctx context.Context, url, queue string) (queue.Driver, error)
	queues   func(ctx context.Context, url string) ([]string, error)
	diagnose func(ctx context.Context, url string) ([]queue.Finding, error)
}

// driverOf is the one switch from a store's URL to what speaks to it.
func driverOf(url string) (driver, error) {
	scheme, _, ok := strings.Cut(url, "://")
	if strings.HasPrefix(url, embedded.Scheme+":") {
		scheme, ok = embedded.Scheme, true
	}
	if !ok {
		return driver{}, errors.New("store URL: it begins with no scheme: redis://host:port, nats://host:port or file:DIR is allowed")
	}
	switch scheme {
	case "redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster":
		return driver{redisqueue.CheckURL, openRedis, redisqueue.Queues, redisqueue.Diagnose}, nil
	case "nats", "tls":
		return driver{natsqueue.CheckURL, openNATS, natsqueue.List, natsqueue.Diagnose}, nil
	case embedded.Scheme:
		return driver{embedded.CheckURL, embedded.Open, embedded.Queues, embedded.Diagnose}, nil
	}
	return driver{}, fmt.Errorf("store URL: scheme %q: allowed: redis, rediss, unix, redis+sentinel, rediss+sentinel, redis+cluster, rediss+cluster, nats, tls, file", scheme)
}

func openRedis(ctx context.Context, url, name string) (queue.Driver, error) {
	return redisqueue.Open(ctx, redisqueue.Options{URL: url, Queue: name})
}

func openNATS(ctx context.Context, url, name string) (queue.Driver, error) {
	return natsqueue.Open(ctx, url, name)
}

// open opens a queue, whether the store knows it already or not.
func (p place) open(ctx context.Context, name string) (*queue.Queue, error) {
	if err := queue.ValidateName("queue", name); err != nil {
		return nil, usage(err)
	}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	d, err := p.driver.open(ctx, p.url, name)
	if err != nil {
		return nil, &exitError{exitStore, err}
	}
	return queue.New(d), nil
}

// queues lists the names of the store's queues.
func (p place) queues(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	names, err := p.driver.queues(ctx, p.url)
	if err != nil {
		return nil, &exitError{exitStore, err}
	}
	return names, nil
}

// known opens a queue that the store must have.
func (p place) known(ctx context.Context, name string) (*queue.Queue, error) {
	if err := queue.ValidateName("queue", name); err != nil {
		return nil, usage(err)
	}
	names, err := p.queues(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, name) {
		return nil, notFound("queue", name, names)
	}
	return p.open(ctx, name)
}

// with opens a queue that the store must have for the time of f.
func (f *storeFlags) with(ctx context.Context, name string, do func(*queue.Queue) error) error {
	p, err := f.find()
	if err != nil {
		return err
	}
	q, err := p.known(ctx, name)
	if err != nil {
		return err
	}
	defer q.Close()
	return told(do(q))
}

// told gives an error of the queue the exit code that it stands for.
func told(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	code := exitStore
	if _, ok := errors.AsType[*queue.PolicyConflict](err); ok {
		code = exitUsage
	}
	if _, ok := errors.AsType[*printer.PathError](err); ok {
		code = exitUsage
	}
	if _, ok := errors.AsType[*queue.WrongState](err); ok || errors.Is(err, queue.ErrNotFound) || errors.Is(err, queue.ErrCommitted) {
		code = exitRefused
	}
	return &exitError{code, err}
}

// refused is told for calls that an error other than the store's silence
// refuses.
func refused(err error) error {
	if err == nil || errors.Is(err, queue.ErrUnavailable) {
		return told(err)
	}
	return &exitError{exitRefused, err}
}
