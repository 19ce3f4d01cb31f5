//go:build !linux

package proc

import (
	"context"
	"errors"
	"fmt"
)

// Sweep would find the processes of a worker by their environment, which this
// system does not show. It kills nothing and returns an error that is
// errors.ErrUnsupported.
func Sweep(_ context.Context, mark string, _ bool) (killed int, err error) {
	return 0, fmt.Errorf("proc: sweep of %q: %w", mark, errors.ErrUnsupported)
}

// Workers would count the processes of workers. It returns an error that is
// errors.ErrUnsupported.
func Workers(string) (int, error) {
	return 0, fmt.Errorf("proc: workers: %w", errors.ErrUnsupported)
}
