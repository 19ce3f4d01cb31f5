package natsqueue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// askAgain is after which time a question to JetStream is asked once more. A
// server that answers late is not asked in vain: any answer counts.
const askAgain = 500 * time.Millisecond

// Errors of servers that have no leader, or have not heard of each other yet.
const (
	errNoPeers   = 10005
	errNoLeader  = 10008
	errNotLeader = 10009
	errOffline   = 10118
)

// patiently asks JetStream something until it is answered or denied, or ctx
// ends. A cluster that elects a leader drops what it is asked in silence, and
// never comes back to it. The question must be one that may be asked twice.
func patiently[T any](ctx context.Context, g login, question func(context.Context) (T, error)) (T, error) {
	return heed(ctx, g, func(ctx context.Context) (T, error) { return repeatedly(ctx, question) })
}

// repeatedly asks until the answer does not pass.
func repeatedly[T any](ctx context.Context, question func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	within, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	answers := make(chan answer)
	again := time.NewTicker(askAgain)
	defer again.Stop()
	var last answer
	for {
		asking.Go(func() {
			v, err := question(within)
			select {
			case answers <- answer{v, err}:
			case <-within.Done():
			}
		})
	wait:
		for {
			select {
			case last = <-answers:
				if !passing(last.err) {
					return last.value, last.err
				}
			case <-again.C:
				break wait
			case <-ctx.Done():
				if last.err == nil || errors.Is(ctx.Err(), context.Canceled) {
					last.err = ctx.Err()
				}
				return last.value, last.err
			}
		}
	}
}

// passing tells whether an error is one that passes when a cluster has elected
// its leaders.
func passing(err error) bool {
	if e, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch e.ErrorCode {
		case errNoPeers, errNoLeader, errNotLeader, errOffline:
			return true
		}
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// quiet says what the silence of JetStream means.
func quiet(nc *nats.Conn, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if cluster := nc.ConnectedClusterName(); cluster != "" {
		return fmt.Errorf("JetStream does not answer: cluster %s has no leader: more than half of its servers must run and reach each other: %w", cluster, err)
	}
	return fmt.Errorf("JetStream does not answer: %w", err)
}
