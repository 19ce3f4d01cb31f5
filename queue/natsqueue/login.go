package natsqueue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// lookEvery is how often who waits for an answer looks whether the server has
// denied the question.
const lookEvery = 20 * time.Millisecond

// login is whether a connection's user may do what concerns the subjects under a
// root. A question that is denied gets no answer: that it was is told beside it,
// of the connection as a whole.
type login struct {
	nc   *nats.Conn
	root string
}

func (d *Driver) login() login { return login{d.nc, d.name.root} }

// denial is what the server last denied, if that is needed for a queue.
func (g login) denial() error {
	return denial(g.nc.LastError(), g.root, "$JS.", "_INBOX.")
}

// denial is an error that denies something to do with one of some subjects,
// explained.
func denial(err error, subjects ...string) error {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	text := err.Error()
	for _, s := range subjects {
		if strings.Contains(text, s) {
			return fmt.Errorf("the login may not do this: it needs to publish and subscribe to PREFIX.>, $JS.API.> and _INBOX.>: %w", err)
		}
	}
	return nil
}

// heed asks a question, which ends when the server denies what this user asks
// meanwhile.
func heed[T any](ctx context.Context, g login, question func(context.Context) (T, error)) (T, error) {
	within, cancel := context.WithCancelCause(ctx)
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel(nil)
	before := g.nc.LastError()
	looking.Go(func() {
		look := time.NewTicker(lookEvery)
		defer look.Stop()
		for {
			select {
			case <-look.C:
			case <-within.Done():
				return
			}
			if errors.Is(g.nc.LastError(), before) { // each denial is an error of its own
				continue
			}
			if err := g.denial(); err != nil {
				cancel(err)
				return
			}
		}
	})
	v, err := question(within)
	if cause := context.Cause(within); err != nil && errors.Is(cause, nats.ErrPermissionViolation) {
		err = cause
	}
	return v, err
}
