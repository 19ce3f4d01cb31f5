package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice.dev/internal/identity"
	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

func TestCauses(t *testing.T) {
	codes := Options{FailExitCodes: []int{64}, ReleaseExitCodes: []int{75}}
	limit := Options{ItemDeadline: time.Second}
	quiet := Options{Stall: time.Second}
	for _, tt := range []struct {
		name, script string
		o            Options
		verb         queue.Verb
		cause        queue.Cause
		code         int
		message      string
	}{
		{"exit code 0", `exit 0`, codes, queue.Ack, "", 0, ""},
		{"another exit code", `exit 3`, codes, queue.Nack, queue.CauseExitCode, 3, "exit code 3"},
		{"a fail exit code", `exit 64`, codes, queue.Bury, queue.CauseExitCode, 64, "exit code 64"},
		{"a release exit code", `exit 75`, codes, queue.Release, queue.CauseExitCode, 75, "exit code 75"},
		{"SIGKILL", `kill -KILL $$`, codes, queue.Nack, queue.CauseKilled, 137, "SIGKILL"},
		{"SIGSEGV", `kill -SEGV $$`, codes, queue.Nack, queue.CauseKilled, 139, "SIGSEGV"},
		{"SIGTERM from elsewhere", `kill -TERM $$`, codes, queue.Nack, queue.CauseKilled, 143, "SIGTERM"},
		{"past the deadline", never, limit, queue.Nack, queue.CauseDeadlineExceeded, 0, "1s"},
		{"past the deadline, and exit code 0 then", `trap 'exit 0' TERM; ` + never + ` & wait`, limit, queue.Nack, queue.CauseDeadlineExceeded, 0, "1s"},
		{"past the deadline, stopped", `kill -STOP $$; ` + never, limit, queue.Nack, queue.CauseDeadlineExceeded, 0, "1s"},
		{"silent", `echo begun; ` + never, quiet, queue.Nack, queue.CauseStalled, 0, "1s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := script(t, tt.o, "echo why >&2; "+tt.script)
			begun := time.Now()
			err := h.Handle(t.Context(), attempt(t, payload.Payload{}))
			if time.Since(begun) > DefaultGrace {
				t.Error("SIGTERM did not end it")
			}
			f := want(t, err, tt.verb, tt.cause)
			if f.ExitCode != tt.code || !strings.Contains(f.Message, tt.message) {
				t.Errorf("got exit code %d and %q, want %d and %q", f.ExitCode, f.Message, tt.code, tt.message)
			}
			if err != nil && f.Stderr != "why\n" {
				t.Errorf("stderr is %q", f.Stderr)
			}
			if backoff := judge(err).backoff; backoff != (tt.verb == queue.Release) {
				t.Errorf("delayed from the first time: %v", backoff)
			}
		})
	}
}

func TestACommandThatWritesIsNotStalled(t *testing.T) {
	t.Parallel()
	h := script(t, Options{Stall: 2 * time.Second}, `for i in 1 2 3 4 5 6; do echo $i >&2; sleep 0.5; done`)
	wantDone(t, h.Handle(t.Context(), attempt(t, payload.Payload{})))
}

func TestACommandThatIgnoresSIGTERMIsKilledAfterTheGrace(t *testing.T) {
	t.Parallel()
	const limit, grace = 300 * time.Millisecond, 300 * time.Millisecond
	h := script(t, Options{ItemDeadline: limit, Grace: grace}, `trap '' TERM; `+never)
	begun := time.Now()
	want(t, h.Handle(t.Context(), attempt(t, payload.Payload{})), queue.Nack, queue.CauseDeadlineExceeded)
	if took := time.Since(begun); took < limit+grace || took > soon {
		t.Errorf("ended after %s", took)
	}
}

func TestCannotStart(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	program := newHandler(t, Options{}, "{}")
	argument := newHandler(t, Options{}, "true", "{}")
	for _, tt := range []struct {
		name string
		h    *Handler
		arg  string
		id   string
	}{
		{"a program that is nowhere", program, "no-such-program-anywhere", "a"},
		{"a program that is no program", program, plain, "a"},
		{"a folder", program, dir, "a"},
		{"no program", program, "", "a"},
		{"too long an argument", argument, strings.Repeat("x", 1<<18), "a"},
		{"a NUL in an argument", argument, "a\x00b", "a"},
		{"a NUL in the id", argument, "a", "a\x00b"},
	} {
		t.Run("buried: "+tt.name, func(t *testing.T) {
			a := attempt(t, payload.Payload{Arg: tt.arg})
			a.Item.ID = tt.id
			f := want(t, tt.h.Handle(t.Context(), a), queue.Bury, queue.CauseCannotStart)
			if f.Message == "" {
				t.Error("no message")
			}
		})
	}
	t.Run("released: the worker's own program has vanished", func(t *testing.T) {
		gone := filepath.Join(dir, "gone")
		if err := os.WriteFile(gone, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		h := newHandler(t, Options{}, gone)
		if err := os.Remove(gone); err != nil {
			t.Fatal(err)
		}
		want(t, h.Handle(t.Context(), attempt(t, payload.Payload{})), queue.Release, queue.CauseCannotStart)
	})
	t.Run("released: there is no room for the output", func(t *testing.T) {
		h := newHandler(t, Options{}, "true")
		c, err := h.scratch.get() // the only one, opened by New
		if err != nil {
			t.Fatal(err)
		}
		defer h.scratch.put(c)
		h.scratch.dir = filepath.Join(dir, "nowhere")
		want(t, h.Handle(t.Context(), attempt(t, payload.Payload{})), queue.Release, queue.CauseCannotStart)
	})
}

func TestAnInputThatChangedIsBuried(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := identity.Take(t.Context(), path, false)
	if err != nil {
		t.Fatal(err)
	}
	h := newHandler(t, Options{}, "cat")
	a := attempt(t, payload.Payload{Arg: path, Input: &in})
	wantDone(t, h.Handle(t.Context(), a))
	if err := os.WriteFile(path, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := want(t, h.Handle(t.Context(), a), queue.Bury, queue.CauseInputChanged)
	if !strings.Contains(f.Message, path) {
		t.Errorf("message %q does not name the file", f.Message)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want(t, h.Handle(t.Context(), a), queue.Bury, queue.CauseInputChanged)
}

func TestOutOfMemory(t *testing.T) {
	events := filepath.Join(t.TempDir(), "memory.events")
	count := func(s string) {
		t.Helper()
		if err := os.WriteFile(events, []byte("low 0\noom 9\noom_kill "+s+"\noom_group_kill 0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	count("4")
	killed, shell := script(t, Options{}, `kill -KILL $$`), script(t, Options{}, `exit 137`)
	c := newOOMCounter(events)
	killed.oom, shell.oom = c, c
	a := attempt(t, payload.Payload{})
	want(t, killed.Handle(t.Context(), a), queue.Nack, queue.CauseKilled)
	count("6")
	want(t, killed.Handle(t.Context(), a), queue.Nack, queue.CauseOOMKilled)
	if f := want(t, shell.Handle(t.Context(), a), queue.Nack, queue.CauseOOMKilled); f.ExitCode != 137 {
		t.Errorf("exit code %d", f.ExitCode)
	}
	want(t, killed.Handle(t.Context(), a), queue.Nack, queue.CauseKilled)
	want(t, shell.Handle(t.Context(), a), queue.Nack, queue.CauseExitCode)
}
