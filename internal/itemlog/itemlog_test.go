package itemlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sluice.dev/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newWriter(t testing.TB, dir string, limit int64) *Writer {
	t.Helper()
	w, err := NewWriter(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func head(id string, token uint64) Head {
	return Head{ID: id, Text: "text of " + id, Attempt: 1, Token: token, Worker: "w", Began: time.Now()}
}

// begin begins an attempt that writes this.
func begin(t testing.TB, w *Writer, h Head, stdout, stderr string) *Log {
	t.Helper()
	l, err := w.Begin(h)
	if err != nil {
		t.Fatal(err)
	}
	l.Stdout.WriteString(stdout)
	l.Stderr.WriteString(stderr)
	return l
}

func end(t testing.TB, w *Writer, h Head, s queue.Settlement, settled error) {
	t.Helper()
	if err := w.End(h, s, settled); err != nil {
		t.Fatal(err)
	}
}

// run is a whole attempt.
func run(t testing.TB, w *Writer, h Head, verb queue.Verb, stdout, stderr string) {
	t.Helper()
	l := begin(t, w, h, stdout, stderr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	end(t, w, h, queue.Settlement{Verb: verb}, nil)
}

// lose begins an attempt whose worker is killed.
func lose(t testing.TB, w *Writer, h Head, stdout string) {
	t.Helper()
	l := begin(t, w, h, stdout, "")
	for _, f := range []*os.File{l.Stdout, l.Stderr, l.item} {
		f.Close()
	}
}

// one is the only attempt at an item.
func one(t testing.TB, dir, item string) Entry {
	t.Helper()
	found, err := Find(dir, item)
	if err != nil || len(found) != 1 {
		t.Fatalf("%d attempts at %q (%v), want 1", len(found), item, err)
	}
	return found[0]
}

func copied(t testing.TB, e Entry) (stdout, stderr string) {
	t.Helper()
	var o, s strings.Builder
	if err := Copy(e, &o, &s); err != nil {
		t.Fatal(err)
	}
	return o.String(), s.String()
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

func TestAnAttemptIsThereAgain(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir, 0)
	h := head("a", 7)
	l := begin(t, w, h, "out\n", "err")
	if e := one(t, dir, "a"); e.Outcome != Running || e.End != nil {
		t.Errorf("while it runs it is %+v", e)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if e := one(t, dir, "a"); e.Outcome != Running {
		t.Errorf("before it is settled it is %s", e.Outcome)
	}
	end(t, w, h, queue.Settlement{Verb: queue.Nack, Failure: queue.Failure{Cause: queue.CauseExitCode, Message: "exit code 3", Stderr: "err"}}, nil)
	for _, item := range []string{"a", "text of a"} {
		e := one(t, dir, item)
		if e.Outcome != Failed || e.End.Message != "exit code 3" || e.Token != 7 || e.Size != 7 || !e.Began.Equal(h.Began) {
			t.Errorf("by %q it is %+v", item, e)
		}
		if o, s := copied(t, e); o != "out\n" || s != "err" {
			t.Errorf("it wrote %q and %q", o, s)
		}
	}
}

func TestOutcomes(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir, 0)
	for i, tt := range []struct {
		verb    queue.Verb
		settled error
		want    Outcome
	}{
		{queue.Ack, nil, Done},
		{queue.Nack, nil, Failed},
		{queue.Bury, nil, Failed},
		{queue.Release, nil, Released},
		{queue.Ack, queue.ErrLeaseLost, Lost},
		{queue.Nack, errors.New("no answer"), Lost},
	} {
		h := head(fmt.Sprint("settled ", i), uint64(i))
		end(t, w, h, queue.Settlement{Verb: tt.verb}, tt.settled) // one that never began
		if e := one(t, dir, h.ID); e.Outcome != tt.want {
			t.Errorf("after %s (%v): %s, want %s", tt.verb, tt.settled, e.Outcome, tt.want)
		}
	}
	lose(t, w, head("lost", 99), "half a li")
	e := one(t, dir, "lost")
	if o, _ := copied(t, e); e.Outcome != Lost || o != "half a li" {
		t.Errorf("a worker was killed: %s with %q", e.Outcome, o)
	}
}

func TestFindPrefersTheID(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir, 0)
	named, other := head("x", 1), head("y", 2)
	named.Text, other.Text = "z", "x"
	run(t, w, named, queue.Ack, "", "")
	run(t, w, other, queue.Ack, "", "")
	if e := one(t, dir, "x"); e.ID != "x" {
		t.Errorf("found %q", e.ID)
	}
	for _, item := range []string{"", "nobody"} {
		if found, err := Find(dir, item); err != nil || len(found) > 0 {
			t.Errorf("%q: %v (%v)", item, found, err)
		}
	}
	if found, err := Find(filepath.Join(dir, "nowhere"), "x"); err != nil || len(found) > 0 {
		t.Errorf("in a folder that is not there: %v (%v)", found, err)
	}
}

// A text of any bytes and length is found by the same text.
func TestAnyTextIsFound(t *testing.T) {
	for i, text := range []string{"a\xffb", strings.Repeat("ä", maxText), "line\nline", "../../etc"} {
		dir := t.TempDir()
		w := newWriter(t, dir, 0)
		h := head(strings.Repeat("id/", i+1), 1)
		h.Text = text
		run(t, w, h, queue.Ack, "x", "")
		if e := one(t, dir, text); e.ID != h.ID {
			t.Errorf("%.20q: found %+v", text, e)
		}
	}
}

func TestAttemptsAreInOrder(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir, 0)
	for _, token := range []uint64{1 << 60, 9, 10, 1} {
		run(t, w, head("a", token), queue.Nack, "", "")
	}
	found, err := Find(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	var tokens []uint64
	for _, e := range found {
		tokens = append(tokens, e.Token)
	}
	if !slices.Equal(tokens, []uint64{1, 9, 10, 1 << 60}) {
		t.Errorf("tokens %v", tokens)
	}
}

// What is too long keeps its head and its tail, whole lines of them if there
// are any, and says what is missing.
func TestCut(t *testing.T) {
	lines := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "line %06d\n", i) // 12 bytes
		}
		return b.String()
	}
	const limit = 64 << 10
	note := func(n int) string {
		return fmt.Sprintf("[sluice: %d bytes are left out here: at most %d of an attempt are kept]\n", n, limit)
	}
	const half, quarter = (limit - noteRoom) / 2, (limit/2 - noteRoom) / 2
	long := lines(0, 100_000)
	dots := strings.Repeat(".", 200_000)
	for name, tt := range map[string]struct{ stdout, stderr, wantOut, wantErr string }{
		"short":    {"a", "b", "a", "b"},
		"just":     {dots[:limit], "", dots[:limit], ""},
		"together": {dots[:limit/2], dots[:limit/2], dots[:limit/2], dots[:limit/2]},
		"lines": {
			long, "b\n",
			lines(0, half/12) + note(1_200_000-2*(half/12)*12) + lines(100_000-half/12, 100_000), "b\n",
		},
		"one line": {
			dots, "",
			dots[:half] + "\n" + note(200_000-2*half) + dots[:half], "",
		},
		"both": {
			dots, dots,
			dots[:quarter] + "\n" + note(200_000-2*quarter) + dots[:quarter],
			dots[:quarter] + "\n" + note(200_000-2*quarter) + dots[:quarter],
		},
	} {
		dir := t.TempDir()
		run(t, newWriter(t, dir, limit), head("a", 1), queue.Ack, tt.stdout, tt.stderr)
		o, s := copied(t, one(t, dir, "a"))
		if o != tt.wantOut {
			t.Errorf("%s: stdout has %d bytes, want %d", name, len(o), len(tt.wantOut))
		}
		if s != tt.wantErr {
			t.Errorf("%s: stderr has %d bytes, want %d", name, len(s), len(tt.wantErr))
		}
	}
}

func TestCutIsBounded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := int64(MinLimit + rapid.IntRange(0, 5000).Draw(rt, "limit"))
		size := func(name string) string {
			return strings.Repeat(rapid.SampledFrom([]string{"\n", "x", "line\n"}).Draw(rt, name+" of"), rapid.IntRange(0, 20_000).Draw(rt, name))
		}
		stdout, stderr := size("stdout"), size("stderr")
		dir := filepath.Join(t.TempDir(), "log")
		if err := os.RemoveAll(dir); err != nil {
			rt.Fatal(err)
		}
		run(t, newWriter(t, dir, limit), head("a", 1), queue.Ack, stdout, stderr)
		o, s := copied(t, one(t, dir, "a"))
		if n := int64(len(o) + len(s)); n > limit {
			rt.Fatalf("%d bytes are kept at a limit of %d", n, limit)
		}
		if int64(len(stdout)+len(stderr)) <= limit && (o != stdout || s != stderr) {
			rt.Fatal("something is missing below the limit")
		}
		if len(files(t, dir)) > 3 {
			rt.Fatalf("files %v", files(t, dir))
		}
	})
}

func TestNewWriterRefuses(t *testing.T) {
	if _, err := NewWriter(t.TempDir(), MinLimit-1); err == nil {
		t.Error("a limit that is too small")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewWriter(file, 0); err == nil {
		t.Error("a file for a folder")
	}
}
