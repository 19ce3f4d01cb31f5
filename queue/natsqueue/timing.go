package natsqueue

import (
	"context"
	"time"

	"sluice.dev/internal/boottime"
)

const (
	resyncEvery = 10 * time.Second
	resyncTrip  = 250 * time.Millisecond // a longer one says little of the time
)

// clock is the server's clock, as a leader knows it: what the server last said,
// and how long ago that was.
type clock struct {
	offset int64 // microseconds from the machine's clock to the server's
	synced chan time.Time
}

// set takes the time that the server said just now.
func (c *clock) set(t time.Time) {
	if c.synced == nil {
		c.synced = make(chan time.Time, 1)
	}
	c.offset = t.UnixMicro() - boottime.Now().Microseconds()
}

// now is the server's time in microseconds.
func (c *clock) now() int64 { return c.offset + boottime.Now().Microseconds() }

// sync asks the server for its time.
func (c *clock) sync(ctx context.Context, d *Driver) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	s, err := d.js.Stream(ctx, d.name.stream)
	if err != nil {
		return // the log's writer finds out what it means
	}
	trip := time.Since(began)
	if trip > resyncTrip {
		return
	}
	select {
	case c.synced <- s.CachedInfo().TimeStamp.Add(trip / 2):
	default:
	}
}
