package command

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
	"sluice.dev/worker"
	"sluice.dev/worker/template"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon bounds what should happen at once; never is a sleep that no test
// outlives.
const (
	soon  = 20 * time.Second
	never = "sleep 600"
)

func parse(t testing.TB, argv ...string) *template.Template {
	t.Helper()
	tmpl, err := template.Parse(argv, template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func newHandler(t testing.TB, o Options, argv ...string) *Handler {
	t.Helper()
	if o.Template == nil {
		o.Template = parse(t, argv...)
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// script is a handler of a shell script whose $1 is the item's argument.
func script(t testing.TB, o Options, text string) *Handler {
	t.Helper()
	return newHandler(t, o, "sh", "-c", text, "sh", "{}")
}

func encode(t testing.TB, p payload.Payload) []byte {
	t.Helper()
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func attempt(t testing.TB, p payload.Payload) *worker.Attempt {
	t.Helper()
	l := queue.Lease{Item: queue.Item{ID: "item-1", Payload: encode(t, p)}, Token: 7, Attempt: 2}
	return worker.NewAttempt(l, "run-w1", 3, func(context.Context, []byte) error {
		t.Error("committed without an output")
		return nil
	})
}

// verdict is what an error of Handle tells the worker.
type verdict struct {
	verb    queue.Verb
	backoff bool
	failure queue.Failure
}

// judge reads what the worker reads in an error; package worker exports only
// the making of it.
func judge(err error) verdict {
	v := verdict{verb: queue.Ack}
	if err != nil {
		v.verb, v.failure = queue.Nack, queue.Failure{Cause: queue.CauseError, Message: err.Error()}
	}
	for ; err != nil; err = errors.Unwrap(err) {
		e := reflect.Indirect(reflect.ValueOf(err))
		if e.Kind() != reflect.Struct {
			continue
		}
		if f := e.FieldByName("verb"); f.IsValid() {
			v.verb, v.backoff = queue.Verb(f.Uint()), e.FieldByName("backoff").Bool()
		}
		if f := e.FieldByName("Failure"); f.IsValid() {
			v.failure = f.Interface().(queue.Failure)
		}
	}
	return v
}

// want checks how an attempt ended.
func want(t testing.TB, err error, verb queue.Verb, cause queue.Cause) queue.Failure {
	t.Helper()
	v := judge(err)
	if v.verb != verb || v.failure.Cause != cause {
		t.Fatalf("got %s for %q (%v), want %s for %q", v.verb, v.failure.Cause, err, verb, cause)
	}
	return v.failure
}

func wantDone(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("not done: %v (stderr %q)", err, judge(err).failure.Stderr)
	}
}

// shown is a console that keeps what it got.
type shown struct {
	mu             sync.Mutex
	calls          int
	stdout, stderr string // of the last item
}

func (s *shown) Item(_ *worker.Attempt, stdout, stderr io.Reader) error {
	o, err := io.ReadAll(stdout)
	if err != nil {
		return err
	}
	e, err := io.ReadAll(stderr)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.stdout, s.stderr = string(o), string(e)
	return nil
}

// fifo is a named pipe between commands and a test.
type fifo struct {
	path string
	r    *os.File
	b    *bufio.Reader
}

func newFIFO(t testing.TB) *fifo {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return &fifo{path, r, bufio.NewReader(r)}
}

// line waits for a line from a command.
func (f *fifo) line(t testing.TB) string {
	t.Helper()
	// Until there is a writer a read finds the end at once; a second opening
	// of the pipe holds it open.
	hold, err := os.OpenFile(f.path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	f.r.SetReadDeadline(time.Now().Add(soon))
	s, err := f.b.ReadString('\n')
	if err != nil {
		t.Fatalf("no line from the command: %v", err)
	}
	return s
}

// wantClosed waits until no process holds the pipe open any more.
func (f *fifo) wantClosed(t testing.TB) {
	t.Helper()
	f.r.SetReadDeadline(time.Now().Add(soon))
	if _, err := io.Copy(io.Discard, f.b); err != nil {
		t.Fatalf("a process is left behind: %v", err)
	}
}
