package triage_test

import (
	"strings"
	"testing"

	"sluice.dev/internal/triage"
	"sluice.dev/queue"
)

func TestSignature(t *testing.T) {
	for _, test := range []struct {
		f    queue.Failure
		want string
	}{
		{queue.Failure{Cause: queue.CauseExitCode, ExitCode: 3, Message: "exit code 3", Stderr: "reading\n/data/in/f12.wav: bad block 77 at 0x7ffdeadbeef\n\n"}, "ExitCode 3: PATH: bad block N at ADDR"},
		{queue.Failure{Cause: queue.CauseExitCode, ExitCode: 3, Stderr: "in/b: bad block 9 at 0x1"}, "ExitCode 3: PATH: bad block N at ADDR"},
		{queue.Failure{Cause: queue.CauseExitCode, ExitCode: 1, Message: "exit code 1"}, "ExitCode 1"},
		{queue.Failure{Cause: queue.CauseError, Message: "took 1.5s, limit 12"}, "Error: took Ns, limit N"},
		{queue.Failure{Cause: queue.CauseError, Message: "cat.png: 9f86d081884c7d65 is no id"}, "Error: FILE: N is no id"},
		{queue.Failure{Cause: queue.CauseError, Message: "no 123e4567-e89b-12d3-a456-426614174000"}, "Error: no ID"},
		{queue.Failure{Cause: queue.CauseError, Message: "disk is full"}, "Error: disk is full"},
		{queue.Failure{Cause: queue.CauseStalled}, "Stalled"},
	} {
		if got := triage.Signature(test.f); got != test.want {
			t.Errorf("signature of %+v is %q, want %q", test.f, got, test.want)
		}
	}
	long := triage.Signature(queue.Failure{Cause: queue.CauseError, Message: strings.Repeat("é", 1000)})
	if len(long) > 250 || !strings.HasSuffix(long, "...") {
		t.Errorf("a long message makes a signature of %d bytes", len(long))
	}
}

func TestGroups(t *testing.T) {
	failed := func(id, stderr string) queue.Record {
		return queue.Record{Item: queue.Item{ID: id}, Failures: []queue.Failure{
			{Cause: queue.CauseStalled}, {Cause: queue.CauseExitCode, ExitCode: 1, Stderr: stderr},
		}}
	}
	groups := triage.Groups([]queue.Record{
		failed("a", "no such host"), failed("b", "line 1: bad"), failed("c", "line 22: bad"), {Item: queue.Item{ID: "fine"}},
	})
	if len(groups) != 2 || len(groups[0].Records) != 2 || groups[0].Signature != "ExitCode 1: line N: bad" ||
		groups[0].Records[0].Item.ID != "b" || groups[1].Records[0].Item.ID != "a" {
		t.Errorf("groups %+v", groups)
	}
}
