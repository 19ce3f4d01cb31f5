package natsqueue

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice.dev/internal/boottime"
	"sluice.dev/queue/natsqueue/machine"
)

const (
	window   = 3               // commits under way
	commitIn = 3 * time.Second // before a leader whose log says nothing steps down
	drainMax = 1024            // questions in one commit
	drainLen = 1 << 20         // bytes of facts, after which a commit is long enough
	proofFor = 500 * time.Millisecond
)

// leader answers the questions of a queue's clients, its own included. It is
// one goroutine; what waits for the server is beside it.
type leader struct {
	d      *Driver
	stream jetstream.Stream
	m      *machine.Machine
	log    log
	clock  clock

	asks, acks chan *nats.Msg
	subs       []*nats.Subscription
	early      []*nats.Msg       // questions that came while the log was read
	asked      map[uint64]*asked // questions of which a part is still to come

	outs    []out               // answers to what the next commit holds
	pending map[uint64]struct{} // questions whose answers are still to leave
	recent  recent
	strict  bool          // one of them must not leave before a write proves that we lead
	under   []*commit     // way, in order
	proven  time.Duration // when the last commit that is stored was sent, on the clock that runs through suspend

	waiters  waiters
	logged   int // bytes of facts since the last snapshot
	snapshot snapshot
	busy     sync.WaitGroup
}

func newLeader(d *Driver, s jetstream.Stream) (*leader, error) {
	inbox := d.nc.NewInbox() + "."
	l := &leader{
		d: d, stream: s, m: machine.New(), asked: map[uint64]*asked{}, pending: map[uint64]struct{}{},
		asks: make(chan *nats.Msg, 1<<14), acks: make(chan *nats.Msg, 1<<14),
		log: log{nc: d.nc, epoch: newID(), to: d.name.log, inbox: inbox, size: d.partSize(s), last: s.CachedInfo().State.LastSeq},
	}
	l.clock.set(s.CachedInfo().TimeStamp)
	for subject, to := range map[string]chan *nats.Msg{d.name.ask: l.asks, inbox + "*": l.acks} {
		sub, err := d.nc.ChanSubscribe(subject, to)
		if err != nil {
			l.leave()
			return nil, err
		}
		l.subs = append(l.subs, sub)
	}
	return l, nil
}

// partSize is how large a record of the log may be.
func (d *Driver) partSize(s jetstream.Stream) int {
	size := partOf(d.nc)
	if most := s.CachedInfo().Config.MaxMsgSize; most > 0 {
		size = min(size, int(most)-overhead)
	}
	return size
}

// leave ends the leader's subscriptions: whoever asks next hears that nobody
// leads.
func (l *leader) leave() {
	for _, sub := range l.subs {
		_ = sub.Unsubscribe() // or the connection is gone, and they with it
	}
	l.subs = nil
}

// lead reads the log and answers until the context ends, or until anything goes
// wrong: then another leads, or the next one who is asked for will.
func (l *leader) lead(ctx context.Context) {
	defer l.busy.Wait()
	defer l.leave()
	done, soothed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(soothed)
		l.soothe(done)
	}()
	err := l.load(ctx, l.log.last)
	close(done)
	<-soothed
	if errors.Is(err, errUnreadable) {
		l.d.mu.Lock()
		l.d.unfit = err
		l.d.mu.Unlock()
	}
	if err != nil || l.d.point("loaded") {
		return
	}
	_ = l.d.nc.Publish(l.d.name.event, nil) // the leader before may not have come to it
	beside, cancel := context.WithCancel(context.Background())
	defer cancel()
	l.serve(ctx, beside)
}

// soothe tells those who ask that somebody leads, while the log is read. What
// they ask is answered first when it is; who comes too late for one commit asks
// again. So does who asked before the election: that may be answered already.
func (l *leader) soothe(done <-chan struct{}) {
	for range len(l.asks) {
		l.send(out{to: (<-l.asks).Reply, status: heard})
	}
	size := 0
	for {
		select {
		case m := <-l.asks:
			l.send(out{to: m.Reply, status: heard})
			if size += len(m.Data); len(l.early) < drainMax && size < drainLen {
				l.early = append(l.early, m)
			}
		case <-done:
			return
		}
	}
}

// serve answers. Nothing leaves before what it says is stored.
func (l *leader) serve(ctx, beside context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	resync := time.NewTicker(resyncEvery)
	defer resync.Stop()
	l.m.Now(l.clock.now())
	for _, m := range l.early {
		l.take(m)
	}
	l.early = nil
	for {
		asks := l.asks
		if len(l.under) >= window || l.snapshot.marking {
			asks = nil
		}
		select {
		case m := <-asks:
			l.drain(m)
		case m := <-l.acks:
			if err := l.log.stored(m); err != nil {
				l.complain(err)
				return
			}
			if !l.settle() {
				return
			}
		case t := <-l.clock.synced:
			l.clock.set(t)
		case <-resync.C:
			l.busy.Go(func() { l.clock.sync(beside, l.d) })
		case <-ctx.Done():
			l.resign()
			return
		case <-timer.C:
			l.forgetParts()
		}
		if len(l.under) > 0 && len(l.acks) == 0 && boottime.Now()-l.under[0].sent > commitIn {
			return
		}
		if !l.turn(beside) {
			return
		}
		timer.Reset(l.sleep())
	}
}

// turn does what time brings and writes what was decided.
func (l *leader) turn(beside context.Context) bool {
	if len(l.under) >= window {
		return true
	}
	if l.snapshot.marking {
		return l.mark()
	}
	l.m.Now(l.clock.now())
	l.waiters.ring(l)
	return l.flush() && l.snap(beside)
}

// sleep is how long the leader may sleep if nobody asks.
func (l *leader) sleep() time.Duration {
	d := time.Second
	if len(l.under) >= window || l.snapshot.marking {
		return d // the log's answer wakes it
	}
	if at, ok := l.m.Due(); ok {
		d = min(d, time.Duration(at-l.clock.now())*time.Microsecond)
	}
	if l.waiters.again(l) {
		d = min(d, ringAgain)
	}
	return max(d, 200*time.Microsecond)
}

// resign hands over: what was asked is answered, and then nobody leads.
func (l *leader) resign() {
	l.leaveAsks()
	l.m.Now(l.clock.now())
	for {
		select {
		case m := <-l.asks:
			l.take(m)
			continue
		default:
		}
		break
	}
	if !l.flush() {
		return
	}
	timer := time.NewTimer(commitIn)
	defer timer.Stop()
	for len(l.under) > 0 {
		select {
		case m := <-l.acks:
			if l.log.stored(m) != nil || !l.settle() {
				return
			}
		case <-timer.C:
			return
		}
	}
	l.waiters.dismiss(l)
	_ = l.d.nc.Flush() // or they find out by themselves
}

// leaveAsks ends the subscription of questions alone.
func (l *leader) leaveAsks() {
	for _, sub := range l.subs {
		if sub.Subject == l.d.name.ask {
			_ = sub.Unsubscribe()
		}
	}
	_ = l.d.nc.Flush() // who asks from now on hears that nobody leads
}
