package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// The pauses between the tries of a call that the store does not answer: a
// random part of the first, of twice that, and so on up to the longest.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
)

// Session is one worker's side of a queue. Its calls are repeated while the
// store is unavailable, for as long as their context lasts; any other error
// comes back at once. It is safe for concurrent use.
type Session struct {
	store  Consumer
	worker string
	bad    error // what is wrong with worker; the answer to every call

	turn chan struct{} // holds a value while an Exchange is under way and guards what follows
	seq  uint64
	open *Exchange // sent, and not answered yet
	sent time.Time // when open was sent first
	late late
}

// late is what the store answered to an exchange whose caller had gone. It
// waits for the next caller.
type late struct {
	settled map[fence]error
	leases  []lateLease
	gone    bool
}

// fence names a lease among all that ever were.
type fence struct {
	id    string
	token uint64
}

type lateLease struct {
	Lease
	sent time.Time // its TTL counts from here
}

// Session starts the exchanges of a worker. The name must be the worker's
// alone, also among workers that are gone: the store may remember those. Of one
// that ValidateWorker refuses every call fails.
func (q *Queue) Session(worker string) *Session {
	return &Session{
		store:  q.Driver,
		worker: worker,
		bad:    ValidateWorker(worker),
		turn:   make(chan struct{}, 1),
		// Where a name is used again in spite of that, the time keeps the
		// store from answering with replies to its earlier holder.
		seq: uint64(time.Now().UnixMicro()),
	}
}

// Worker is the session's worker.
func (s *Session) Worker() string { return s.worker }

// Exchange settles leases and claims at most claim new ones in one round trip.
// One is under way at a time; a second caller waits for its turn. While the
// store does not answer, the same exchange is sent again, which the store
// answers as it did the first time.
//
// If ctx ends before the answer, the exchange may have happened all the same.
// The session keeps it, and the next call of Exchange first brings it to its
// end, so that nothing is lost:
//   - Leases that it claimed come with the next reply. They count as part of
//     that call's claim, which they may exceed, and time that has passed is
//     taken off their TTL, which may be 0 or less by then.
//   - Its settlements are to be handed to the next call again. Those that the
//     store answered meanwhile are not sent a second time: their first answer
//     is the one in Settled, and the first verb stands.
//
// So a caller whose Exchange failed keeps its settlements and tries again, and
// one that leaves calls Exchange until it gets a reply without leases. The
// settlements must not be modified until then.
//
// TTLs count from before the call.
func (s *Session) Exchange(ctx context.Context, settle []Settlement, claim int) (Reply, error) {
	began := time.Now()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return Reply{}, fmt.Errorf("exchange: %w", context.Cause(ctx))
	}
	if s.open != nil {
		settled := s.open.Settle
		r, err := s.send(ctx)
		if err != nil {
			return Reply{}, err
		}
		s.keep(settled, r)
	}
	fresh := s.fresh(settle)
	claim = max(0, claim-len(s.late.leases))
	var r Reply
	if len(fresh) > 0 || claim > 0 {
		s.seq++
		s.open = &Exchange{Worker: s.worker, Seq: s.seq, Settle: fresh, Claim: claim}
		s.sent = time.Now()
		var err error
		if r, err = s.send(ctx); err != nil {
			return Reply{}, err
		}
		if len(r.Settled) != len(fresh) {
			return Reply{}, fmt.Errorf("exchange: the store answered %d of %d settlements", len(r.Settled), len(fresh))
		}
	}
	return s.merge(r, settle, began), nil
}

// send sends the open exchange until it is answered or ctx ends. It stays open
// only if what became of it is unknown.
func (s *Session) send(ctx context.Context) (r Reply, err error) {
	err = s.repeat(ctx, func() error {
		r, err = s.store.Exchange(ctx, *s.open)
		return err
	})
	if err == nil || !unanswered(err) {
		s.open = nil
	}
	if err != nil {
		return Reply{}, fmt.Errorf("exchange: %w", err)
	}
	return r, nil
}

// keep sets an answer aside for the next caller.
func (s *Session) keep(settle []Settlement, r Reply) {
	if s.late.settled == nil {
		s.late.settled = make(map[fence]error, len(settle))
	}
	for i, x := range settle[:min(len(settle), len(r.Settled))] {
		s.late.settled[fence{x.Lease.Item.ID, x.Lease.Token}] = r.Settled[i]
	}
	for _, l := range r.Leases {
		s.late.leases = append(s.late.leases, lateLease{l, s.sent})
	}
	s.late.gone = s.late.gone || r.Gone
}

// fresh is the settlements that no late answer covers, in a slice of its own.
func (s *Session) fresh(settle []Settlement) []Settlement {
	if len(s.late.settled) == 0 {
		return slices.Clone(settle)
	}
	return slices.DeleteFunc(slices.Clone(settle), func(x Settlement) bool {
		_, known := s.late.settled[fence{x.Lease.Item.ID, x.Lease.Token}]
		return known
	})
}

// merge joins what is late to the reply to the settlements that were fresh.
func (s *Session) merge(r Reply, settle []Settlement, began time.Time) Reply {
	if s.late.settled != nil {
		answers, fresh := make([]error, len(settle)), r.Settled
		for i, x := range settle {
			err, known := s.late.settled[fence{x.Lease.Item.ID, x.Lease.Token}]
			if !known {
				err, fresh = fresh[0], fresh[1:]
			}
			answers[i] = err
		}
		r.Settled = answers
	}
	for _, l := range s.late.leases {
		l.TTL -= elapsed(l.sent, began)
		r.Leases = append(r.Leases, l.Lease)
	}
	r.Gone = r.Gone || s.late.gone
	s.late = late{}
	return r
}

// elapsed is the time between two moments by whichever clock says more: the
// monotonic one, or the wall clock, which a suspend does not stop.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// Extend renews leases to the queue's full lease. The errors are one for each
// lease: nil or ErrLeaseLost.
func (s *Session) Extend(ctx context.Context, leases []Lease) (errs []error, err error) {
	err = s.repeat(ctx, func() error {
		errs, err = s.store.Extend(ctx, s.worker, leases)
		return err
	})
	if err == nil && len(errs) != len(leases) {
		err = fmt.Errorf("the store answered for %d of %d leases", len(errs), len(leases))
	}
	if err != nil {
		return nil, fmt.Errorf("extend: %w", err)
	}
	return errs, nil
}

// Commit decides what a leased item publishes, as Consumer describes.
func (s *Session) Commit(ctx context.Context, l Lease, record []byte) error {
	if err := s.repeat(ctx, func() error { return s.store.Commit(ctx, l, record) }); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Wait returns when there may be something to claim, when the worker was let go,
// and about limit later at the latest.
func (s *Session) Wait(ctx context.Context, limit time.Duration) error {
	end := time.Now().Add(limit)
	err := s.repeat(ctx, func() error {
		rest := time.Until(end)
		if rest <= 0 {
			return nil
		}
		return s.store.Wait(ctx, s.worker, rest)
	})
	if err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	return nil
}

// Leave asks for the worker to stop, as Consumer describes. A worker asks when
// it holds no lease and has no Exchange under way. If the answer is lost and
// the second one is a refusal, Reply.Gone still tells that it was granted.
func (s *Session) Leave(ctx context.Context, idle time.Duration) (granted bool, err error) {
	err = s.repeat(ctx, func() error {
		granted, err = s.store.Leave(ctx, s.worker, idle)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("leave: %w", err)
	}
	return granted, nil
}

// repeat calls f until the store answers or ctx ends.
func (s *Session) repeat(ctx context.Context, f func() error) error {
	if s.bad != nil {
		return s.bad
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := f()
		if err == nil || !unanswered(err) {
			return err
		}
		timer := time.NewTimer(rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		if ctx.Err() == nil {
			continue
		}
		if cause := context.Cause(ctx); !errors.Is(err, cause) {
			err = fmt.Errorf("%w; last try: %w", cause, err)
		}
		return err
	}
}

// unanswered tells whether a call that ended with err may have happened.
func unanswered(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
