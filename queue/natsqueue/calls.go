package natsqueue

import (
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"sluice.dev/queue/natsqueue/internal/bin"
)

// status is how an answer begins.
type status byte

const (
	answered status = iota + 1
	refused         // with an error
	heard           // a leader is there and is not ready yet
	parked          // a leader is there and answers when there is something to tell
	nobody          // there is no leader: the server says so
)

type reply struct {
	status status
	text   []byte
}

// calls are a client's questions that are under way, each with an inbox.
type calls struct {
	inbox string
	sub   *nats.Subscription

	mu   sync.Mutex
	open map[uint64]*call
}

type call struct {
	gather  gather
	replies chan reply
}

// listen makes the inbox of all calls.
func listen(nc *nats.Conn) (*calls, error) {
	c := &calls{inbox: nc.NewInbox() + ".", open: map[uint64]*call{}}
	var err error
	if c.sub, err = nc.Subscribe(c.inbox+"*", c.receive); err != nil {
		return nil, explain(err)
	}
	return c, nil
}

func (c *calls) close() error { return c.sub.Unsubscribe() }

// subject is where the answer to a call is sent.
func (c *calls) subject(id uint64) string { return c.inbox + strconv.FormatUint(id, 36) }

func (c *calls) begin(id uint64) <-chan reply {
	k := &call{replies: make(chan reply, 4)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[id] = k
	return k.replies
}

func (c *calls) end(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, id)
}

// receive hands an answer to who waits for it. Nobody may, any more.
func (c *calls) receive(m *nats.Msg) {
	id, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, c.inbox), 36, 64)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.open[id]
	if k == nil {
		return
	}
	got := reply{status: nobody}
	if m.Header.Get("Status") == "" {
		r := bin.NewReader(m.Data)
		got.status = status(r.Byte())
		var whole bool
		if got.text, whole = k.gather.add(r); !whole {
			return
		}
	}
	select {
	case k.replies <- got:
	default: // it has more answers than it reads, all of them the same
	}
}
