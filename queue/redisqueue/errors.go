package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"sluice.dev/queue"
)

// passing are the starts of errors that end by themselves: a server that
// loads its data, fails over, is being moved or has a full disk.
var passing = []string{"LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "BUSY ", "UNBLOCKED", "MOVED", "ASK ", "MISCONF", "NOREPLICAS"}

// hints say what to do about what a server refuses. Only the first of them
// ends by itself.
var hints = []struct{ start, text string }{
	{"OOM", "its memory is full and nothing more is taken: free some, or raise maxmemory"},
	{"NOAUTH", "it wants a password: redis://:PASSWORD@host:port"},
	{"WRONGPASS", "it refuses the URL's user and password"},
	{"ERR AUTH", "it has no password, and the URL has one"},
	{"NOPERM", "the URL's user may not do this: it needs all commands but dangerous ones on the keys sluice:*"},
}

// classify wraps an error of the client or the server for the queue's callers.
func classify(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if text, ok := strings.CutPrefix(err.Error(), "STALE "); ok {
		return fmt.Errorf("%w: %s", queue.ErrStale, text)
	}
	if _, ok := errors.AsType[redis.Error](err); ok {
		for _, h := range hints {
			if strings.HasPrefix(err.Error(), h.start) {
				err = fmt.Errorf("%s: %w", h.text, err)
				if h.start == "OOM" {
					err = fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
				}
				return err
			}
		}
		for _, p := range passing {
			if strings.HasPrefix(err.Error(), p) {
				return fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
			}
		}
		return err
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redis.ErrPoolTimeout) {
		return fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
	}
	return err
}
