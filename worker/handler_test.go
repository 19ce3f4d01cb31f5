package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/queue"
)

func TestSettlementOfAnError(t *testing.T) {
	l := queue.Lease{Item: queue.Item{ID: "a"}, Token: 7}
	oops := errors.New("oops")
	exit := queue.Failure{Cause: queue.CauseExitCode, ExitCode: 3}
	plain := queue.Failure{Cause: queue.CauseError, Message: "oops"}
	leaving := queue.Failure{Cause: queue.CauseInterrupted, Message: "oops"}
	for name, test := range map[string]struct {
		err      error
		shutdown bool
		want     queue.Settlement
	}{
		"nil":                          {nil, false, queue.Settlement{Verb: queue.Ack, Result: []byte("result")}},
		"plain":                        {oops, false, queue.Settlement{Verb: queue.Nack, Failure: plain}},
		"permanent":                    {Permanent(oops), false, queue.Settlement{Verb: queue.Bury, Failure: plain}},
		"permanent, wrapped":           {fmt.Errorf("x: %w", Permanent(Fail(exit))), false, queue.Settlement{Verb: queue.Bury, Failure: exit}},
		"retry":                        {Retry(oops, time.Minute), false, queue.Settlement{Verb: queue.Nack, After: time.Minute, Failure: plain}},
		"release":                      {Release(oops), false, queue.Settlement{Verb: queue.Release, Failure: plain}},
		"release delayed":              {ReleaseDelayed(oops), false, queue.Settlement{Verb: queue.Release, Backoff: true, Failure: plain}},
		"fail":                         {Fail(exit), false, queue.Settlement{Verb: queue.Nack, Failure: exit}},
		"nil while leaving":            {nil, true, queue.Settlement{Verb: queue.Ack, Result: []byte("result")}},
		"plain while leaving":          {oops, true, queue.Settlement{Verb: queue.Release, Failure: leaving}},
		"release while leaving":        {Release(oops), true, queue.Settlement{Verb: queue.Release, Failure: leaving}},
		"fail while leaving":           {Fail(exit), true, queue.Settlement{Verb: queue.Nack, Failure: exit}},
		"released fail while leaving":  {Release(Fail(exit)), true, queue.Settlement{Verb: queue.Release, Failure: exit}},
		"permanent while leaving":      {Permanent(oops), true, queue.Settlement{Verb: queue.Bury, Failure: plain}},
		"retry of its own, on leaving": {Retry(oops, 1), true, queue.Settlement{Verb: queue.Nack, After: 1, Failure: plain}},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if test.shutdown {
			cancel(ErrShutdown)
		}
		test.want.Lease = l
		if diff := cmp.Diff(test.want, Settlement(ctx, l, []byte("result"), test.err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		cancel(nil)
	}
}

func TestASettlementIsBounded(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	s := Settlement(t.Context(), queue.Lease{}, nil, Fail(queue.Failure{Message: "x" + long, Stderr: long + "x"}))
	if m := s.Failure.Message; len(m) > maxMessageBytes || len(m) < maxMessageBytes-4 || m != strings.ToValidUTF8(m, "") || m[0] != 'x' {
		t.Errorf("a message of %d bytes, want the first %d", len(m), maxMessageBytes)
	}
	if e := s.Failure.Stderr; len(e) > queue.MaxStderrBytes || len(e) < queue.MaxStderrBytes-4 || !strings.HasSuffix(e, "x") {
		t.Errorf("stderr of %d bytes, want the last %d", len(e), queue.MaxStderrBytes)
	}
}
