//go:build linux

package proc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice.dev/internal/proc/proctest"
)

func TestSweepKillsWhateverSessionItHidesIn(t *testing.T) {
	id := mark(t)
	item(t, "setsid sh -c 'sleep 600 & setsid sleep 600' & sleep 600 & (sleep 600 &) ; sleep 600", MarkVar+"="+id)
	watch := proctest.AwaitSleeps(t, MarkVar+"="+id, 5)
	killed, err := Sweep(t.Context(), id, true)
	if err != nil || killed == 0 {
		t.Fatalf("Sweep = %d, %v; want some killed", killed, err)
	}
	watch.Gone(t, proctest.Limit)
	if left := proctest.Having(t, MarkVar+"="+id); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if killed, err := Sweep(t.Context(), id, true); killed != 0 || err != nil {
		t.Errorf("second Sweep = %d, %v; want 0, nil", killed, err)
	}
}

func TestSweepKillsTheGroupOfAMarkedProcess(t *testing.T) {
	id := mark(t)
	item(t, "env -i PLAIN="+id+" sleep 600 & sleep 600", MarkVar+"="+id)
	plain := proctest.AwaitSleeps(t, "PLAIN="+id, 1)
	if _, err := Sweep(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	plain.Gone(t, proctest.Limit)
}

func TestSweepSparesOtherMarks(t *testing.T) {
	id := mark(t)
	item(t, "exec sleep 600", MarkVar+"="+id+"-1")
	item(t, "exec sleep 600", MarkVar+"="+id+"-10")
	item(t, "exec sleep 600", "NOT_"+MarkVar+"="+id+"-1")
	one := proctest.AwaitSleeps(t, MarkVar+"="+id+"-1\x00", 1)
	ten := proctest.AwaitSleeps(t, MarkVar+"="+id+"-10", 1)
	not := proctest.AwaitSleeps(t, "NOT_"+MarkVar+"="+id, 1)

	if killed, err := Sweep(t.Context(), id+"-1", true); killed != 1 || err != nil {
		t.Fatalf("Sweep of one worker = %d, %v; want 1, nil", killed, err)
	}
	one.Gone(t, proctest.Limit)
	ten.Alive(t)
	not.Alive(t)

	if killed, err := Sweep(t.Context(), id+"-", false); killed != 1 || err != nil {
		t.Fatalf("Sweep of the run = %d, %v; want 1, nil", killed, err)
	}
	ten.Gone(t, proctest.Limit)
	not.Alive(t)
}

func TestSweepKillsAWorkersOwnProcess(t *testing.T) {
	id := mark(t)
	item(t, "exec sleep 600", ProcessVar+"="+id)
	watch := proctest.AwaitSleeps(t, ProcessVar+"="+id, 1)
	if n, err := Workers(id); n != 1 || err != nil {
		t.Errorf("Workers = %d, %v; want 1, nil", n, err)
	}
	if _, err := Sweep(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	watch.Gone(t, proctest.Limit)
	if n, err := Workers(id); n != 0 || err != nil {
		t.Errorf("Workers = %d, %v after the sweep; want 0, nil", n, err)
	}
}

func TestSweepOutrunsForks(t *testing.T) {
	id := mark(t)
	item(t, "n=0; while [ $n -lt 400 ]; do setsid sleep 600 & n=$((n+1)); done; wait", MarkVar+"="+id)
	proctest.Eventually(t, 20*time.Second, func() bool { // in the midst of it
		return len(proctest.Having(t, MarkVar+"="+id)) >= 5
	})
	began := time.Now()
	killed, err := Sweep(t.Context(), id, true)
	if err != nil || killed < 5 {
		t.Fatalf("Sweep = %d, %v; want 5 or more", killed, err)
	}
	t.Logf("killed %d in %s", killed, time.Since(began))
	if left := proctest.Having(t, MarkVar+"="+id); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestSweepSparesTheSweeper(t *testing.T) {
	id := mark(t)
	cmd := again(t, "sweep", id)
	cmd.Env = append(cmd.Environ(), MarkVar+"="+id)
	out, err := cmd.Output()
	if got, want := strings.TrimSpace(string(out)), "0 <nil>"; err != nil || got != want {
		t.Errorf("a marked sweeper said %q, %v; want %q", got, err, want)
	}
}

func TestSweepSaysWhatMayRemain(t *testing.T) {
	id := mark(t)
	item(t, "exec sleep 600", MarkVar+"="+id)
	pid := proctest.AwaitSleeps(t, MarkVar+"="+id, 1).PIDs()[0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Sweep(ctx, id, true)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), fmt.Sprint(pid)) {
		t.Errorf("Sweep = %v; want context.Canceled and process %d", err, pid)
	}
}

func TestSweepRefusesAnEmptyMark(t *testing.T) {
	if _, err := Sweep(t.Context(), "", false); err == nil {
		t.Error("an empty mark was accepted: it is everybody's")
	}
}

func TestStatusOfAnyName(t *testing.T) {
	// As of a real process, from its parent on: 49 fields, the environment's
	// end last but one.
	tail := " 7 42 42 0 -1 4194304 94 0 0 0 0 0 0 0 20 0 1 0 31525 3280896 413 18446744073709551615 " +
		"94093 94094 140 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 94095 94096 94097 140731 140732 140733 140734 0"
	want := status{state: 'S', parent: 7, group: 42, memory: true, env: true}
	for _, name := range []string{"sleep", "a b", ") Z 1 1", "(((", ""} {
		got, err := parseStatus([]byte("123 (" + name + ") S" + tail))
		if got != want || err != nil {
			t.Errorf("name %q: %+v, %v; want %+v", name, got, err, want)
		}
	}
	for _, bad := range []string{"", "123 (x) S 1 2", "123 x S" + tail, "123 (x) S y" + strings.TrimPrefix(tail, " 7")} {
		if _, err := parseStatus([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func BenchmarkSweepOfNothing(b *testing.B) {
	for b.Loop() {
		if _, err := Sweep(b.Context(), "nobody's mark", true); err != nil {
			b.Fatal(err)
		}
	}
}
