package command

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice.dev/internal/payload"
	"sluice.dev/internal/progress"
	"sluice.dev/queue"
	"sluice.dev/worker"
)

// until asks what runs until it is as wanted.
func until(t *testing.T, h *Handler, wanted func([]Running) bool) []Running {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	late := time.After(soon)
	for {
		list := h.Running(0, 10)
		if wanted(list) {
			return list
		}
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("what runs is %+v", list)
		}
	}
}

func TestRunningTellsHowFarACommandIs(t *testing.T) {
	pattern, err := progress.Compile(`at (\d+)`)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		pattern *progress.Pattern
		print   string
		want    float64
	}{
		"by per cent":  {nil, `printf ' 12%%\r 37%%\r' >&2`, 37},
		"by a pattern": {pattern, `echo at 12`, 12},
	} {
		t.Run(name, func(t *testing.T) {
			gate := filepath.Join(t.TempDir(), "gate")
			if err := syscall.Mkfifo(gate, 0o600); err != nil {
				t.Fatal(err)
			}
			h := script(t, Options{Progress: tt.pattern}, tt.print+`; read x <"$1"`)
			ended := make(chan error, 1)
			go func() { ended <- h.Handle(t.Context(), attempt(t, payload.Payload{Arg: gate})) }()
			list := until(t, h, func(l []Running) bool { return len(l) == 1 && l[0].Known })
			if r := list[0]; r.Percent != tt.want || r.Lease.Item.ID != "item-1" || r.For <= 0 {
				t.Errorf("it is %+v, want %v%%", r, tt.want)
			}
			if list := h.Running(time.Hour, 10); len(list) != 0 {
				t.Errorf("for an hour already: %+v", list)
			}
			if list := h.Running(0, 0); len(list) != 0 {
				t.Errorf("none was asked for: %+v", list)
			}
			if err := os.WriteFile(gate, []byte("go\n"), 0); err != nil {
				t.Fatal(err)
			}
			wantDone(t, <-ended)
			until(t, h, func(l []Running) bool { return len(l) == 0 })
		})
	}
}

// keeper keeps the output of attempts in a folder.
type keeper struct {
	dir  string
	done int
}

func (k *keeper) keep(a *worker.Attempt) (*Kept, error) {
	open := func(name string) (*os.File, error) {
		return os.OpenFile(filepath.Join(k.dir, name), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	}
	out, err := open("out")
	if err != nil {
		return nil, err
	}
	errs, err := open("err")
	return &Kept{Stdout: out, Stderr: errs, Done: func() error {
		k.done++
		return errors.Join(out.Close(), errs.Close())
	}}, err
}

func TestOutputThatIsKept(t *testing.T) {
	k := &keeper{dir: t.TempDir()}
	con := &shown{}
	h := script(t, Options{Keep: k.keep, Console: con}, `echo out; echo err >&2; exit 3`)
	f := want(t, h.Handle(t.Context(), attempt(t, payload.Payload{})), queue.Nack, queue.CauseExitCode)
	if f.Stderr != "err\n" || con.stdout != "out\n" || con.stderr != "err\n" {
		t.Errorf("the failure has %q, the console %q and %q", f.Stderr, con.stdout, con.stderr)
	}
	for name, want := range map[string]string{"out": "out\n", "err": "err\n"} {
		if b, err := os.ReadFile(filepath.Join(k.dir, name)); string(b) != want {
			t.Errorf("%s is %q (%v), want %q", name, b, err, want)
		}
	}
	if k.done != 1 {
		t.Errorf("done %d times, want once", k.done)
	}
}

// An item runs though its output cannot be kept, and the log tells.
func TestOutputThatCannotBeKept(t *testing.T) {
	k := &keeper{dir: filepath.Join(t.TempDir(), "is not there")}
	con := &shown{}
	var log strings.Builder
	h := script(t, Options{Keep: k.keep, Console: con, Logger: slog.New(slog.NewTextHandler(&log, nil))}, `echo out`)
	wantDone(t, h.Handle(t.Context(), attempt(t, payload.Payload{})))
	if con.stdout != "out\n" {
		t.Errorf("shown %q", con.stdout)
	}
	if !strings.Contains(log.String(), "could not be kept") {
		t.Errorf("the log says %q", log.String())
	}
}
