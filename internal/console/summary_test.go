package console

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

func dead(t *testing.T, arg string, attempts int, failures ...queue.Failure) queue.Record {
	t.Helper()
	b, err := payload.Payload{Arg: arg, N: 1}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return queue.Record{
		Item:     queue.Item{ID: "id of " + arg, Payload: b},
		State:    queue.Dead,
		Attempts: attempts,
		Failures: failures,
	}
}

func exit(code int, stderr string) queue.Failure {
	return queue.Failure{Cause: queue.CauseExitCode, Message: fmt.Sprintf("exit code %d", code), ExitCode: code, Stderr: stderr}
}

func TestSummary(t *testing.T) {
	var many []queue.Record
	for i := range 44 {
		many = append(many, dead(t, fmt.Sprintf("item %02d", i), 1, queue.Failure{Cause: queue.CauseStalled}))
	}
	var reasons []queue.Record
	for i := range 14 {
		reasons = append(reasons, dead(t, "x", 1, exit(10+i, "")))
	}
	reasons = append(reasons, dead(t, "y", 1, exit(23, "")))

	for _, test := range []struct {
		name string
		s    Summary
		want string
	}{
		{
			"all done",
			Summary{Lines: 10, Items: 9, Duplicates: 1, Done: 9, Elapsed: 1200 * time.Millisecond},
			"10 lines, 9 items, 1 duplicate\n9 done, 0 dead in 1.2s\n",
		},
		{
			"without lines, interrupted",
			Summary{Items: 1, Left: 1, Elapsed: 65 * time.Second},
			"1 item\n0 done, 0 dead, 1 left in 1m05s\n",
		},
		{
			"grouped by the last failure, then size, then text",
			Summary{Lines: 5, Items: 5, Done: 1, Dead: 4, Elapsed: time.Second, Records: []queue.Record{
				dead(t, "late", 1, queue.Failure{Cause: queue.CauseDeadlineExceeded}),
				dead(t, "in/corrupt.gz", 7, queue.Failure{Cause: queue.CauseKilled}, exit(1, "\ngzip: in/corrupt.gz: not in gzip format\n")),
				dead(t, "absent", 0),
				dead(t, "in/empty.gz", 1, exit(1, "")),
				{Item: queue.Item{ID: "done"}, State: queue.Done},
			}},
			`5 lines, 5 items
1 done, 4 dead in 1s
2 dead: ExitCode: exit code 1
  in/corrupt.gz  (7 attempts)
    gzip: in/corrupt.gz: not in gzip format
  in/empty.gz  (1 attempt)
1 dead: DeadlineExceeded
  late  (1 attempt)
1 dead: no reason recorded
  absent  (0 attempts)
`,
		},
		{
			"ten items of a reason",
			Summary{Items: 44, Dead: 44, Records: many},
			"44 items\n0 done, 44 dead in 0s\n44 dead: Stalled\n" + func() (s string) {
				for i := range 10 {
					s += fmt.Sprintf("  item %02d  (1 attempt)\n", i)
				}
				return s
			}() + "  and 34 more\n",
		},
		{
			"ten reasons",
			Summary{Items: 15, Dead: 15, Records: reasons},
			"15 items\n0 done, 15 dead in 0s\n2 dead: ExitCode: exit code 23\n  x  (1 attempt)\n  y  (1 attempt)\n" + func() (s string) {
				for i := range 9 {
					s += fmt.Sprintf("1 dead: ExitCode: exit code %d\n  x  (1 attempt)\n", 10+i)
				}
				return s
			}() + "and 4 dead for 4 other reasons\n",
		},
		{
			"the last five lines, as a terminal would have left them",
			Summary{Items: 1, Dead: 1, Records: []queue.Record{
				dead(t, "a", 1, exit(2, "1\n2\n3\n \n\n4\r\n 10%\r 20%\r\n\tindented\n7\x1b]0;owned\a\x9b2J\n\n\n")),
			}},
			"1 item\n0 done, 1 dead in 0s\n1 dead: ExitCode: exit code 2\n  a  (1 attempt)\n" +
				"    3\n    4\n     20%\n        indented\n    7\\x1b]0;owned\\a\\x9b2J\n",
		},
		{
			"names and reasons that are long or would drive a terminal",
			Summary{Items: 2, Dead: 2, Records: []queue.Record{
				dead(t, "a\nb\x1b[2J"+strings.Repeat("c", 200), 1, queue.Failure{Cause: queue.CauseError, Message: "no\n\x1b[0m" + strings.Repeat("d", 300)}),
				{Item: queue.Item{ID: "only-an-id"}, State: queue.Dead, Attempts: 2, Failures: []queue.Failure{{Cause: queue.CauseStalled}}},
			}},
			"2 items\n0 done, 2 dead in 0s\n" +
				`1 dead: Error: no\n\x1b[0m` + strings.Repeat("d", maxReasonBytes-14) + "...\n" +
				`  a\nb\x1b[2J` + strings.Repeat("c", maxNameBytes-7) + "...  (1 attempt)\n" +
				"1 dead: Stalled\n  only-an-id  (2 attempts)\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			if err := test.s.Print(&b); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, b.String()); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func TestSummaryTellsOfAnErrorOfItsOutput(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if err := (Summary{}).Print(w); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}
