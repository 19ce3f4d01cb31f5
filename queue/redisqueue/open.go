package redisqueue

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"sluice.dev/queue"
)

// Options says where a queue is kept.
type Options struct {
	// URL is the store's address; parameters follow as in ?db=1&ca=FILE.
	//
	//	redis://[user:password@]host[:port][/db]
	//	unix://[user:password@]/path/of/socket
	//	redis+sentinel://[user:password@]host[:port],.../primary
	//	redis+cluster://[user:password@]host[:port],...
	//
	// With rediss for redis all connections use TLS, with the parameters ca,
	// cert and key (files), and servername. A db is also a parameter, but for
	// a cluster, which has one. Sentinels that want a login of their own get
	// it by sentinelUser and sentinelPassword.
	URL   string
	Queue string // the queue's name
}

// Open connects to a store and checks that it answers and can keep a queue.
func Open(ctx context.Context, o Options) (*Driver, error) {
	if err := queue.ValidateName("queue", o.Queue); err != nil {
		return nil, err
	}
	at, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	d := &Driver{
		rdb:     connect(at.opts),
		at:      at,
		prefix:  "sluice:{" + o.Queue + "}:",
		name:    o.Queue,
		waiting: make(map[redis.UniversalClient]struct{}),
	}
	if err := d.check(ctx); err != nil {
		_ = d.rdb.Close()
		return nil, at.wrap(err)
	}
	return d, nil
}

// place is a store URL that was read.
type place struct {
	name string // what people may be told: without login and parameters
	opts redis.UniversalOptions
}

// wrap says where an error met the store, in one line.
func (p *place) wrap(err error) error {
	return fmt.Errorf("store %s: %w", p.name, line{classify(err)})
}

// line is an error whose text has one line. Sentinel's client puts one for
// each address.
type line struct{ error }

func (l line) Error() string { return strings.ReplaceAll(l.error.Error(), "\n", "; ") }
func (l line) Unwrap() error { return l.error }

// quiet takes what the client would print on stderr: it all comes back as
// errors too, and only a program's main speaks to people.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

var quieten = sync.OnceFunc(func() { redis.SetLogger(quiet{}) })

// answering bounds how long a call may take: thousands of items on a busy
// server, and still short of a lease.
const answering = 10 * time.Second

// connect makes a client, which connects when it is first used. It repeats no
// call: that is for queue.Session. Only in a cluster it follows redirections,
// and may repeat a call on its way; every call here may happen twice.
func connect(o redis.UniversalOptions) redis.UniversalClient {
	quieten()
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.ReadTimeout = cmp.Or(o.ReadTimeout, answering)
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.ClientName = "sluice"
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewUniversalClient(&o)
}

// now is the clock of the server that keeps the queue: by it the scripts count.
func (d *Driver) now(ctx context.Context) (time.Time, error) {
	node, err := d.node(ctx)
	if err != nil {
		return time.Time{}, classify(err)
	}
	t, err := node.Time(ctx).Result()
	return t, classify(err)
}

// node is the server that keeps the queue, for calls that name no key by which
// a cluster could send them there.
func (d *Driver) node(ctx context.Context) (redis.UniversalClient, error) {
	if c, ok := d.rdb.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, d.prefix)
	}
	return d.rdb, nil
}
