package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
	"sluice.dev/worker/template"
)

func TestArgumentsArriveByteForByte(t *testing.T) {
	var all []byte
	for b := 1; b < 256; b++ {
		all = append(all, byte(b))
	}
	for _, arg := range []string{"", " ", "-n", "a b'c\"d$e`f\\g\n", "\xff\xfe", "{}", string(all)} {
		con := &shown{}
		h := newHandler(t, Options{Console: con}, "printf", "%s.", "{}")
		wantDone(t, h.Handle(t.Context(), attempt(t, payload.Payload{Arg: arg})))
		if con.stdout != arg+"." {
			t.Errorf("%q arrived as %q", arg, con.stdout)
		}
	}
}

func TestStdinIsEmpty(t *testing.T) {
	con := &shown{}
	h := script(t, Options{Console: con}, `cat; echo end`)
	wantDone(t, h.Handle(t.Context(), attempt(t, payload.Payload{})))
	if con.stdout != "end\n" {
		t.Errorf("read %q", con.stdout)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("SLUICE_TEST_KEPT", "kept")
	t.Setenv("SLUICE_TEST_SECRET", "secret")
	t.Setenv("SLUICE_TEST_CHANGED", "old")
	t.Setenv("SLUICE_WORKER", "somebody else")
	t.Setenv("SLUICE_ARG_TAKE", "of another item")
	con := &shown{}
	h := newHandler(t, Options{
		Console:      con,
		ItemDeadline: 90 * time.Second,
		Env:          []string{"SLUICE_TEST_CHANGED=first", "SLUICE_TEST_CHANGED=a=b\nc", "SLUICE_TEST_PASSED=x"},
		Unset:        []string{"SLUICE_TEST_SECRET", "SLUICE_TEST_PASSED", "SLUICE_WORKER"},
	}, "sh", "-c", "env -0", "{}")
	wantDone(t, h.Handle(t.Context(), attempt(t, payload.Payload{Fields: map[string]string{"shot-no": "a 1"}})))
	var got []string
	for kv := range strings.SplitSeq(con.stdout, "\x00") {
		if strings.HasPrefix(kv, "SLUICE_") {
			got = append(got, kv)
		}
	}
	slices.Sort(got)
	want := []string{
		"SLUICE_ARG_SHOT_NO=a 1", "SLUICE_ATTEMPT=2", "SLUICE_DEADLINE_SECONDS=90", "SLUICE_ITEM_ID=item-1", "SLUICE_SLOT=3",
		"SLUICE_TEST_CHANGED=a=b\nc", "SLUICE_TEST_KEPT=kept", "SLUICE_TOKEN=7", "SLUICE_WORKER=run-w1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestConsole(t *testing.T) {
	t.Run("gets 5 MB of both streams whole", func(t *testing.T) {
		con := &shown{}
		h := script(t, Options{Console: con}, `head -c 5000000 /dev/zero | tr '\0' o; head -c 5000000 /dev/zero | tr '\0' e >&2; exit 1`)
		want(t, h.Handle(t.Context(), attempt(t, payload.Payload{})), queue.Nack, queue.CauseExitCode)
		if con.stdout != strings.Repeat("o", 5000000) || con.stderr != strings.Repeat("e", 5000000) {
			t.Errorf("got %d and %d bytes", len(con.stdout), len(con.stderr))
		}
	})
	t.Run("is not called for silence, and never sees another item's output", func(t *testing.T) {
		con := &shown{}
		h := script(t, Options{Console: con}, `printf %s "$1"; printf %s "$1" >&2`)
		for i, arg := range []string{"a long line", "", "short"} {
			wantDone(t, h.Handle(t.Context(), attempt(t, payload.Payload{Arg: arg})))
			if calls := []int{1, 1, 2}[i]; con.calls != calls {
				t.Errorf("called %d times after %q, want %d", con.calls, arg, calls)
			}
			if arg != "" && (con.stdout != arg || con.stderr != arg) {
				t.Errorf("got %q and %q, want %q", con.stdout, con.stderr, arg)
			}
		}
		if n := len(h.scratch.free); n != 1 {
			t.Errorf("%d pairs of scratch files for one item at a time", n)
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	con := &shown{}
	h := script(t, Options{Console: con}, `echo out "$1"; echo err "$1" >&2; exit 9`)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			arg := fmt.Sprint(i)
			v := judge(h.Handle(t.Context(), attempt(t, payload.Payload{Arg: arg})))
			if v.failure.ExitCode != 9 || v.failure.Stderr != "err "+arg+"\n" {
				t.Errorf("item %s: %+v", arg, v.failure)
			}
		})
	}
	wg.Wait()
	if con.calls != 32 {
		t.Errorf("the console was called %d times", con.calls)
	}
}

func TestNewChecksTheProgram(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, is := range map[string]error{
		"no-such-program-anywhere": exec.ErrNotFound,
		"./no/such/file":           fs.ErrNotExist,
		plain:                      fs.ErrPermission,
	} {
		_, err := New(Options{Template: parse(t, name)})
		e, ok := errors.AsType[*NotRunnable](err)
		if !ok || e.Name != name || !errors.Is(err, is) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	pattern, err := template.ParsePattern("{}.out", template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		o    Options
		says string
	}{
		{Options{ItemDeadline: -time.Second}, "item deadline -1s"},
		{Options{Stall: -1}, "stall limit -1ns"},
		{Options{Grace: -1}, "grace -1ns"},
		{Options{StoreGrace: -1}, "store grace -1ns"},
		{Options{MinOutputBytes: -5}, "-5"},
		{Options{FailExitCodes: []int{0}}, "fail exit code 0"},
		{Options{ReleaseExitCodes: []int{256}}, "release exit code 256"},
		{Options{FailExitCodes: []int{1, 2}, ReleaseExitCodes: []int{2}}, "exit code 2"},
		{Options{Existing: "perhaps"}, `"perhaps"`},
		{Options{Env: []string{"NOVALUE"}}, `"NOVALUE"`},
		{Options{Env: []string{"SLUICE_TOKEN=1"}}, "SLUICE_TOKEN"},
		{Options{Env: []string{"SLUICE_ARG_SHOT=1"}}, "SLUICE_ARG_SHOT is set for each item"},
		{Options{Output: pattern}, "{out}"},
		{Options{Dir: "/no/such/folder"}, "/no/such/folder"},
	} {
		tt.o.Template = parse(t, "true")
		if _, err := New(tt.o); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v", tt.o, err)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no template is taken")
	}
}

func TestStoreGraceIsForCommandsThatPublish(t *testing.T) {
	if g := newHandler(t, Options{}, "true").StoreGrace(); g != 0 {
		t.Errorf("%s without {out}", g)
	}
	if g := newHandler(t, Options{}, "touch", "{out}").StoreGrace(); g != DefaultStoreGrace {
		t.Errorf("%s by default", g)
	}
}
