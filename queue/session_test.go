package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice.dev/queue"
)

// script is a store whose answers a test writes down beforehand, one for each
// call. A call without one is not answered.
type script struct {
	queue.Driver
	answers []answer
	got     []queue.Exchange // as they came
	at      []time.Time
	calls   atomic.Int64
}

// answer is a reply or an error, after a while.
type answer struct {
	reply queue.Reply
	err   error
	after time.Duration
}

var errAway = fmt.Errorf("%w: connection refused", queue.ErrUnavailable)

func (s *script) next(ctx context.Context) answer {
	s.calls.Add(1)
	s.at = append(s.at, time.Now())
	if len(s.answers) == 0 {
		return answer{err: errAway}
	}
	a := s.answers[0]
	s.answers = s.answers[1:]
	select {
	case <-time.After(a.after):
		return a
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	}
}

func (s *script) Exchange(ctx context.Context, x queue.Exchange) (queue.Reply, error) {
	s.got = append(s.got, x)
	a := s.next(ctx)
	return a.reply, a.err
}

func (s *script) Extend(ctx context.Context, worker string, leases []queue.Lease) ([]error, error) {
	a := s.next(ctx)
	return a.reply.Settled, a.err
}

func (s *script) Commit(ctx context.Context, _ queue.Lease, _ []byte) error { return s.next(ctx).err }

func (s *script) Wait(ctx context.Context, _ string, limit time.Duration) error {
	s.got = append(s.got, queue.Exchange{Claim: int(limit / time.Second)})
	return s.next(ctx).err
}

func (s *script) Leave(ctx context.Context, worker string, _ time.Duration) (bool, error) {
	a := s.next(ctx)
	return a.reply.Gone, a.err
}

func lease(id string, token uint64) queue.Lease {
	return queue.Lease{Item: queue.Item{ID: id}, Token: token, TTL: 30 * time.Second}
}

func ack(l queue.Lease) queue.Settlement { return queue.Settlement{Lease: l, Verb: queue.Ack} }

// ids is the items of settlements.
func ids(settle []queue.Settlement) (ids []string) {
	for _, s := range settle {
		ids = append(ids, s.Lease.Item.ID)
	}
	return ids
}

func TestExchangesAreNumbered(t *testing.T) {
	s := &script{answers: make([]answer, 3)}
	session := queue.New(s).Session("w")
	for range 3 {
		if _, err := session.Exchange(t.Context(), nil, 1); err != nil {
			t.Fatal(err)
		}
	}
	for i, x := range s.got {
		if x.Worker != "w" || x.Seq != s.got[0].Seq+uint64(i) || x.Seq == 0 {
			t.Errorf("exchange %d is number %d of %q after %d", i, x.Seq, x.Worker, s.got[0].Seq)
		}
	}
}

func TestALaterSessionOfTheSameNameHasHigherNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: make([]answer, 2)}
		for range 2 {
			_, _ = queue.New(s).Session("w").Exchange(t.Context(), nil, 1)
			time.Sleep(time.Second)
		}
		if s.got[1].Seq <= s.got[0].Seq {
			t.Errorf("numbers %d, then %d", s.got[0].Seq, s.got[1].Seq)
		}
	})
}

func TestAnUnansweredExchangeIsSentAgainAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		for range 11 {
			s.answers = append(s.answers, answer{err: errAway})
		}
		s.answers = append(s.answers, answer{reply: queue.Reply{Settled: []error{nil}, Leases: []queue.Lease{lease("b", 2)}}})
		r, err := queue.New(s).Session("w").Exchange(t.Context(), []queue.Settlement{ack(lease("a", 1))}, 1)
		if err != nil || len(r.Leases) != 1 || len(r.Settled) != 1 {
			t.Fatalf("reply %+v, %v", r, err)
		}
		for _, x := range s.got {
			if x.Seq != s.got[0].Seq || x.Claim != 1 || len(x.Settle) != 1 {
				t.Errorf("sent %+v, then %+v", s.got[0], x)
			}
		}
		limit := 50 * time.Millisecond
		for i := range s.at[1:] {
			if pause := s.at[i+1].Sub(s.at[i]); pause < 0 || pause > limit {
				t.Errorf("pause %d is %s, want at most %s", i, pause, limit)
			}
			limit = min(2*limit, 2*time.Second)
		}
	})
}

func TestAnErrorThatNoRetryMendsComesBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []answer{{err: queue.ErrStale}, {}}}
		session := queue.New(s).Session("w")
		if _, err := session.Exchange(t.Context(), nil, 1); !errors.Is(err, queue.ErrStale) {
			t.Errorf("error %v, want ErrStale", err)
		}
		if _, err := session.Exchange(t.Context(), nil, 1); err != nil || len(s.got) != 2 || s.got[1].Seq != s.got[0].Seq+1 {
			t.Errorf("the next exchange is %+v, %v; want a new one", s.got[1:], err)
		}
	})
}

// interrupted makes an exchange that settles a and claims two, and gives up
// after ten seconds without an answer.
func interrupted(t *testing.T, session *queue.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := session.Exchange(ctx, []queue.Settlement{ack(lease("a", 1))}, 2)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("an exchange without an answer returned %v, want its context's error", err)
	}
}

func TestAnInterruptedExchangeIsBroughtToItsEndByTheNext(t *testing.T) {
	for name, test := range map[string]struct {
		old   queue.Reply
		claim int
		// of the new exchange
		wantClaim   int
		wantSettled []error
		wantLeases  []string
	}{
		"it claimed part": {
			queue.Reply{Settled: []error{nil}, Leases: []queue.Lease{lease("x", 3)}}, 3,
			2, []error{nil, nil}, []string{"new", "x"},
		},
		"it claimed nothing": {
			queue.Reply{Settled: []error{queue.ErrLeaseLost}}, 3,
			3, []error{queue.ErrLeaseLost, nil}, []string{"new"},
		},
		"it claimed more than is wanted now": {
			queue.Reply{Settled: []error{nil}, Leases: []queue.Lease{lease("x", 3), lease("y", 4)}}, 0,
			0, []error{nil, nil}, []string{"new", "x", "y"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: []answer{{after: time.Hour}, {reply: test.old}, {reply: queue.Reply{
					Settled: []error{nil}, Leases: []queue.Lease{lease("new", 9)},
				}}}}
				session := queue.New(s).Session("w")
				interrupted(t, session)
				r, err := session.Exchange(t.Context(), []queue.Settlement{ack(lease("a", 1)), ack(lease("b", 2))}, test.claim)
				if err != nil {
					t.Fatal(err)
				}
				if s.got[1].Seq != s.got[0].Seq || s.got[2].Seq != s.got[0].Seq+1 {
					t.Errorf("numbers %d, %d, %d: want the first again, then the next", s.got[0].Seq, s.got[1].Seq, s.got[2].Seq)
				}
				if got := ids(s.got[2].Settle); !slices.Equal(got, []string{"b"}) || s.got[2].Claim != test.wantClaim {
					t.Errorf("the new exchange settles %q and claims %d, want b alone and %d", got, s.got[2].Claim, test.wantClaim)
				}
				if !slices.Equal(r.Settled, test.wantSettled) {
					t.Errorf("settled %v, want %v", r.Settled, test.wantSettled)
				}
				var leases []string
				for _, l := range r.Leases {
					leases = append(leases, l.Item.ID)
					if late := l.Item.ID != "new"; late && l.TTL != 20*time.Second || !late && l.TTL != 30*time.Second {
						t.Errorf("TTL of %s is %s: want 30 s, less the 10 s since the old exchange began", l.Item.ID, l.TTL)
					}
				}
				if !slices.Equal(leases, test.wantLeases) {
					t.Errorf("leases %q, want %q", leases, test.wantLeases)
				}
			})
		})
	}
}

func TestWhatIsLateWaitsForACallerWhoStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []answer{
			{after: time.Hour},
			{reply: queue.Reply{Settled: []error{queue.ErrLeaseLost}, Leases: []queue.Lease{lease("x", 3)}, Gone: true}},
			{after: time.Hour},
			{reply: queue.Reply{Leases: []queue.Lease{lease("y", 4)}}},
		}}
		session := queue.New(s).Session("w")
		interrupted(t, session)
		interrupted(t, session) // learns of x, claims one more, and gives up again
		r, err := session.Exchange(t.Context(), []queue.Settlement{ack(lease("a", 1))}, 0)
		if err != nil || len(r.Leases) != 2 || !r.Gone || !slices.Equal(r.Settled, []error{queue.ErrLeaseLost}) {
			t.Fatalf("reply %+v, %v; want x and y, gone, and the first answer for a", r, err)
		}
		if x, y := r.Leases[0], r.Leases[1]; x.Item.ID != "x" || x.TTL != 10*time.Second || y.Item.ID != "y" || y.TTL != 20*time.Second {
			t.Errorf("leases %+v; want x with 10 s left and y with 20 s", r.Leases)
		}
		if r, err := session.Exchange(t.Context(), nil, 0); err != nil || len(r.Leases) != 0 || len(s.got) != 4 {
			t.Errorf("then %+v, %v after %d calls; want nothing, and no call for it", r, err, len(s.got))
		}
	})
}

func TestTheSettlementsOfAnInterruptedExchangeAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []answer{{after: time.Hour}, {reply: queue.Reply{Settled: []error{nil}}}}}
		session := queue.New(s).Session("w")
		settle := []queue.Settlement{ack(lease("a", 1))}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = session.Exchange(ctx, settle, 0)
		settle[0] = ack(lease("other", 2)) // the caller's slice is the caller's
		if _, err := session.Exchange(t.Context(), nil, 0); err != nil {
			t.Fatal(err)
		}
		if got := ids(s.got[1].Settle); !slices.Equal(got, []string{"a"}) {
			t.Errorf("sent again with %q, want what was sent first", got)
		}
	})
}

func TestOneExchangeIsUnderWayAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []answer{{after: time.Minute}, {}}}
		session := queue.New(s).Session("w")
		for range 2 {
			go func() { _, _ = session.Exchange(t.Context(), nil, 1) }()
		}
		synctest.Wait()
		if s.calls.Load() != 1 {
			t.Errorf("%d exchanges under way, want 1", s.calls.Load())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := session.Exchange(ctx, nil, 1); !errors.Is(err, context.DeadlineExceeded) || s.calls.Load() != 1 {
			t.Errorf("a caller whose context ended while it waited got %v after %d calls", err, s.calls.Load())
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s.calls.Load() != 2 {
			t.Errorf("%d exchanges in the end, want 2", s.calls.Load())
		}
	})
}

func TestEveryCallIsRepeatedWhileTheStoreIsAway(t *testing.T) {
	for name, call := range map[string]func(context.Context, *queue.Session) error{
		"extend": func(ctx context.Context, s *queue.Session) error {
			errs, err := s.Extend(ctx, []queue.Lease{lease("a", 1)})
			if err == nil && !errors.Is(errs[0], queue.ErrLeaseLost) {
				return fmt.Errorf("errors %v", errs)
			}
			return err
		},
		"commit": func(ctx context.Context, s *queue.Session) error { return s.Commit(ctx, lease("a", 1), nil) },
		"wait":   func(ctx context.Context, s *queue.Session) error { return s.Wait(ctx, time.Minute) },
		"leave": func(ctx context.Context, s *queue.Session) error {
			granted, err := s.Leave(ctx, 0)
			if err == nil && !granted {
				return errors.New("not granted")
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: []answer{{err: errAway}, {err: errAway}, {reply: queue.Reply{Settled: []error{queue.ErrLeaseLost}, Gone: true}}}}
				session := queue.New(s).Session("w")
				if err := call(t.Context(), session); err != nil {
					t.Errorf("after two tries without an answer: %v", err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				began := time.Now()
				err := call(ctx, session)
				if took := time.Since(began); took != 30*time.Second || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, queue.ErrUnavailable) {
					t.Errorf("gave up after %s with %v", took, err)
				}
				if err != nil && !strings.HasPrefix(err.Error(), name+": ") {
					t.Errorf("error %q, want the prefix %q", err, name)
				}
				s.answers = []answer{{err: queue.ErrNotFound}}
				if err := call(t.Context(), session); !errors.Is(err, queue.ErrNotFound) {
					t.Errorf("error %v, want the store's own", err)
				}
			})
		})
	}
}

func TestWaitEndsAtItsLimitWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		began := time.Now()
		if err := queue.New(s).Session("w").Wait(t.Context(), 20*time.Second); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < 20*time.Second || took > 22*time.Second {
			t.Errorf("waited for %s, want about 20 s", took)
		}
	})
}
