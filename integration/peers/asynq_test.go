package peers_test

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"sluice.dev/internal/redistest"
)

// asynqPeer has one queue, without strict priority. Its worker looks each second
// when it is idle, unless told otherwise, and as often as it can when it is not.
// It has no call for many tasks.
func asynqPeer(b *testing.B, s servers) *peer {
	// So many connections that no handler waits for one: its default is ten a
	// processor.
	server := asynq.RedisClientOpt{Addr: redistest.Start(b, s.redis...).Addr, PoolSize: 64}
	client := asynq.NewClient(server)
	b.Cleanup(func() { _ = client.Close() })
	work := func(look time.Duration) starter {
		return func(slots int, begun func()) func() {
			w := asynq.NewServer(server, asynq.Config{
				Concurrency:       slots,
				TaskCheckInterval: look,
				Logger:            silent{},
				LogLevel:          asynq.FatalLevel,
			})
			if err := w.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
				begun()
				return nil
			})); err != nil {
				b.Fatal(err)
			}
			return w.Shutdown
		}
	}
	add := func(ctx context.Context) error {
		_, err := client.EnqueueContext(ctx, asynq.NewTask("bench", []byte(payload)))
		return err
	}
	const often = 10 * time.Millisecond
	return &peer{name: "asynq", add: add, work: work(0), wakes: []waker{
		// It waits for half an interval to one and a half.
		{name: "asynq, looks each second", add: add, start: work(time.Second), every: 1500 * time.Millisecond, samples: 10},
		{name: "asynq, looks each 10 ms", add: add, start: work(often), every: 15 * time.Millisecond, samples: 100},
	}}
}

// silent is a log that nobody reads.
type silent struct{}

func (silent) Debug(...any) {}
func (silent) Info(...any)  {}
func (silent) Warn(...any)  {}
func (silent) Error(...any) {}
func (silent) Fatal(...any) {}
