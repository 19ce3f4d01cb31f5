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
// loads its data, fails over or is being moved.
var passing = []string{"LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "BUSY ", "UNBLOCKED", "MOVED", "ASK "}

// classify wraps an error of the client or the server for the queue's callers.
func classify(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if text, ok := strings.CutPrefix(err.Error(), "STALE "); ok {
		return fmt.Errorf("%w: %s", queue.ErrStale, text)
	}
	if _, ok := errors.AsType[redis.Error](err); ok {
		for _, p := range passing {
			if strings.HasPrefix(err.Error(), p) {
				return fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
			}
		}
		return err
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redis.ErrPoolTimeout) {
		return fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
	}
	return err
}
