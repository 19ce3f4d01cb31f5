package peers_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// benchArgs is a job whose arguments are as long as the other peers' payloads,
// but for the JSON around them.
type benchArgs struct {
	P string `json:"p"`
}

// Kind names the job.
func (benchArgs) Kind() string { return "bench" }

// riverPeer fetches as often as River can be told to: the time between two
// fetches, 100 ms unless set, bounds its rate. It listens for notifications.
func riverPeer(b *testing.B, s servers) *peer {
	config, err := pgxpool.ParseConfig(startPostgres(b, s.postgres...))
	if err != nil {
		b.Fatal(err)
	}
	config.MaxConns = 32 // the default, 4, is fewer than the producers
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := migrator.Migrate(b.Context(), rivermigrate.DirectionUp, nil); err != nil {
		b.Fatal(err)
	}
	fast := riverSettings{b: b, pool: pool, cooldown: river.FetchCooldownMin}
	plain := riverSettings{b: b, pool: pool, cooldown: river.FetchCooldownDefault}
	inserter := fast.client(nil, 0)
	add := fast.add()
	return &peer{
		name: "River",
		add:  add,
		bulk: func(ctx context.Context, n int) error {
			jobs := make([]river.InsertManyParams, n)
			for i := range jobs {
				jobs[i].Args = benchArgs{payload}
			}
			_, err := inserter.InsertManyFast(ctx, jobs)
			return err
		},
		work: fast.work,
		wakes: []waker{
			{name: "River, fetches each 100 ms", add: plain.add(), start: plain.work, every: 200 * time.Millisecond, samples: 20},
			{name: "River, fetches each ms", add: add, start: fast.work, samples: 100},
		},
	}
}

// quiet says nothing.
var quiet = slog.New(slog.DiscardHandler)

// riverSettings is how a River client is set up; what is not here is as it comes.
type riverSettings struct {
	b        *testing.B
	pool     *pgxpool.Pool
	cooldown time.Duration
}

// client works with so many slots, or with none inserts only.
func (s riverSettings) client(begun func(), slots int) *river.Client[pgx.Tx] {
	config := &river.Config{FetchCooldown: s.cooldown, Logger: quiet}
	if slots > 0 {
		config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: slots}}
		config.Workers = river.NewWorkers()
		river.AddWorker(config.Workers, river.WorkFunc(func(context.Context, *river.Job[benchArgs]) error {
			begun()
			return nil
		}))
	}
	client, err := river.NewClient(riverpgxv5.New(s.pool), config)
	if err != nil {
		s.b.Fatal(err)
	}
	return client
}

// add inserts by a client of its own: it notifies no more often than one fetches.
func (s riverSettings) add() func(context.Context) error {
	client := s.client(nil, 0)
	return func(ctx context.Context) error {
		_, err := client.Insert(ctx, benchArgs{payload}, nil)
		return err
	}
}

func (s riverSettings) work(slots int, begun func()) func() {
	client := s.client(begun, slots)
	if err := client.Start(s.b.Context()); err != nil {
		s.b.Fatal(err)
	}
	return func() {
		if err := client.Stop(context.WithoutCancel(s.b.Context())); err != nil {
			s.b.Error(err)
		}
	}
}
