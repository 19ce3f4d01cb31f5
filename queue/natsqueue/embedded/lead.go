package embedded

import (
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/queue/natsqueue"
)

const (
	// leadEvery is how often Lead looks for queues that nobody leads.
	leadEvery = time.Second
	// leadLimit bounds one look; an election goes on after it.
	leadLimit = 5 * time.Second
)

// Lead stands for election at every queue that nobody leads, until ctx ends. A
// client that comes for a moment then finds a leader, and need not read the
// queue's whole log to become one. Errors of single queues go to Options.Log:
// whoever uses the queue meets them as well.
func (s *Store) Lead(ctx context.Context) error {
	nc, err := s.Connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return s.wrap(err)
	}
	c := &candidate{s: s, nc: nc, queues: make(map[string]*natsqueue.Driver)}
	defer c.close()
	tick := time.NewTicker(leadEvery)
	defer tick.Stop()
	for {
		names, err := natsqueue.Queues(ctx, js, "")
		if err == nil {
			c.look(ctx, names)
		} else if ctx.Err() == nil {
			s.log.Warn("queues cannot be listed", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Leading is how many queues Lead leads.
func (s *Store) Leading() int { return int(s.leading.Load()) }

// candidate stands for election at queues.
type candidate struct {
	s      *Store
	nc     *nats.Conn
	queues map[string]*natsqueue.Driver
}

// look stands for election where it should, at the queues that there are now.
func (c *candidate) look(ctx context.Context, names []string) {
	for name, d := range c.queues {
		if !slices.Contains(names, name) {
			_ = d.Close()
			delete(c.queues, name)
		}
	}
	leads := 0
	for _, name := range names {
		if err := c.stand(ctx, name); err != nil && ctx.Err() == nil {
			c.s.log.Warn("queue cannot be led", "queue", name, "error", err)
		}
		if d := c.queues[name]; d != nil && d.Leads() {
			leads++
		}
	}
	c.s.leading.Store(int64(leads))
}

// stand asks something of a queue that is led elsewhere, or by nobody: in that
// case whoever asks stands for election.
func (c *candidate) stand(ctx context.Context, name string) error {
	d := c.queues[name]
	if d == nil {
		var err error
		if d, err = natsqueue.New(ctx, c.nc, natsqueue.Options{Queue: name}); err != nil {
			return err
		}
		c.queues[name] = d
	}
	if d.Leads() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leadLimit)
	defer cancel()
	_, err := d.Depth(ctx)
	return err
}

// close hands over.
func (c *candidate) close() {
	for _, d := range c.queues {
		_ = d.Close()
	}
}
