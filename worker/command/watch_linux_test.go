package command

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice.dev/internal/payload"
)

func TestAProcessThatLeftTheGroupDoesNotHoldTheItemUp(t *testing.T) {
	t.Parallel()
	f := newFIFO(t)
	con := &shown{}
	h := script(t, Options{Console: con}, `
		setsid sh -c 'exec 3>"$1"; echo $$ >&3; : >"$1.up"; exec `+never+`' sh "$1" &
		until [ -e "$1.up" ]; do sleep 0.01; done
		echo end`)
	done := make(chan error, 1)
	go func() { done <- h.Handle(t.Context(), attempt(t, payload.Payload{Arg: f.path})) }()
	pid := f.line(t)
	select {
	case err := <-done:
		wantDone(t, err)
	case <-time.After(soon):
		t.Error("the item waits for it")
	}
	if con.stdout != "end\n" {
		t.Errorf("got %q", con.stdout)
	}
	escaped, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(escaped, syscall.SIGKILL); err != nil {
		t.Errorf("it did not live on: %v", err)
	}
	f.wantClosed(t)
}

func TestALeaderStaysAZombieUntilItsGroupIsKilled(t *testing.T) {
	h := newHandler(t, Options{}, "true")
	null := h.devNull.Fd()
	g, err := startGroup(h.program, []string{"true"}, nil, [3]uintptr{null, null, null})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.await(); err != nil {
		t.Fatal(err)
	}
	// Signal 0 finds a process for as long as its id is taken.
	if err := syscall.Kill(g.pid, 0); err != nil {
		t.Errorf("its id is free after await: %v", err)
	}
	if err := g.reap(); err != nil {
		t.Fatal(err)
	}
	if !g.status.Exited() || g.status.ExitStatus() != 0 {
		t.Errorf("status %v", g.status)
	}
	if err := syscall.Kill(g.pid, 0); err != syscall.ESRCH {
		t.Errorf("after reap: %v", err)
	}
}
