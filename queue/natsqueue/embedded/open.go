package embedded

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/queue"
	"sluice.dev/queue/natsqueue"
)

// CheckURL tells what is wrong with the URL of a store in a folder. It makes
// and opens nothing.
func CheckURL(url string) error {
	_, err := Folder(url)
	return err
}

// Open opens a queue of a store in a folder, whose URL is file:DIR. The store
// runs in this process for as long as one of its queues is open, and no other
// process has it: the error is a *Busy then.
func Open(ctx context.Context, url, name string) (queue.Driver, error) {
	if err := queue.ValidateName("queue", name); err != nil {
		return nil, err
	}
	s, err := borrow(url)
	if err != nil {
		return nil, err
	}
	d, err := natsqueue.New(ctx, s.nc, natsqueue.Options{Queue: name})
	if err != nil {
		s.giveBack()
		return nil, s.wrap(err)
	}
	return &driver{Driver: d, giveBack: sync.OnceFunc(s.giveBack)}, nil
}

// Queues lists the queues of a store in a folder, by name.
func Queues(ctx context.Context, url string) ([]string, error) {
	s, err := borrow(url)
	if err != nil {
		return nil, err
	}
	defer s.giveBack()
	js, err := jetstream.New(s.nc)
	if err != nil {
		return nil, s.wrap(err)
	}
	names, err := natsqueue.Queues(ctx, js, "")
	return names, s.wrap(err)
}

// Diagnose is natsqueue.Diagnose for a store in a folder.
func Diagnose(ctx context.Context, url string) ([]queue.Finding, error) {
	s, err := borrow(url)
	if err != nil {
		return nil, err
	}
	defer s.giveBack()
	findings, err := natsqueue.DiagnoseConn(ctx, s.nc, "", 0)
	return findings, s.wrap(err)
}

// driver is a queue whose store may end with it.
type driver struct {
	*natsqueue.Driver
	giveBack func()
}

// Close implements queue.Driver.
func (d *driver) Close() error {
	err := d.Driver.Close()
	d.giveBack()
	return err
}

// shared is a store that several queues of this process have open.
type shared struct {
	*Store
	nc    *nats.Conn
	users int
}

// The stores that this process runs, by folder: a folder's lock is a process's,
// so that what shares it must be, too.
var (
	mu      sync.Mutex
	running = make(map[string]*shared)
)

// borrow starts the store unless it runs already.
func borrow(url string) (*shared, error) {
	dir, err := Folder(url)
	if err != nil {
		return nil, err
	}
	mu.Lock()
	defer mu.Unlock()
	s := running[dir]
	if s == nil {
		store, err := Start(Options{Dir: dir})
		if err != nil {
			return nil, err
		}
		s = &shared{Store: store}
		if s.nc, err = store.Connect(); err != nil {
			store.Close()
			return nil, err
		}
		running[dir] = s
	}
	s.users++
	return s, nil
}

// giveBack stops the store when nobody else has borrowed it.
func (s *shared) giveBack() {
	mu.Lock()
	defer mu.Unlock()
	if s.users--; s.users > 0 {
		return
	}
	delete(running, s.dir)
	s.nc.Close()
	s.Close()
}

var _ queue.Driver = (*driver)(nil)
