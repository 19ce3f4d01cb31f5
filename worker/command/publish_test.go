package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
	"sluice.dev/worker"
	"sluice.dev/worker/publish"
	"sluice.dev/worker/template"
)

// publisher is a handler whose script writes to its $2 or into its $3.
func publisher(t testing.TB, o Options, text string) *Handler {
	t.Helper()
	return newHandler(t, o, "sh", "-c", text, "sh", "{}", "{out}", "{outdir}")
}

// producing is an attempt at an item with an output. The store's answer to its
// commit is commit's; nil takes it.
func producing(t testing.TB, p payload.Payload, token uint64, commit func(context.Context, []byte) error) *worker.Attempt {
	t.Helper()
	if commit == nil {
		commit = func(context.Context, []byte) error { return nil }
	}
	l := queue.Lease{Item: queue.Item{ID: "item-1", Payload: encode(t, p)}, Token: token, Attempt: 1}
	return worker.NewAttempt(l, "run-w1", 1, commit)
}

// wantFiles checks that these are all the files in a folder.
func wantFiles(t testing.TB, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, "|") != strings.Join(names, "|") {
		t.Errorf("the folder has %q, want %q", got, names)
	}
}

func wantContent(t testing.TB, path, content string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != content {
		t.Errorf("%q holds %q (%v), want %q", path, b, err, content)
	}
}

func TestAnOutputIsPublishedOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on demand")
	final := filepath.Join(dir, "any \xff'\n\"bytes.gz")
	var record []byte
	commits := 0
	a := producing(t, payload.Payload{Arg: "content", Output: final}, 5, func(_ context.Context, b []byte) error {
		if _, err := os.Lstat(final); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("published before the commit: %v", err)
		}
		record, commits = b, commits+1
		return nil
	})
	h := publisher(t, Options{}, `printf %s "$1" >"$2"`)
	wantDone(t, h.Handle(t.Context(), a))
	wantContent(t, final, "content")
	wantFiles(t, dir, filepath.Base(final))
	if commits != 1 || len(record) == 0 || string(a.Result) != string(record) {
		t.Errorf("%d commits, of %q; the result is %q", commits, record, a.Result)
	}
	// A later holder finds the commit and does not run it again.
	b := producing(t, payload.Payload{Arg: "other", Output: final}, 6, nil)
	b.Committed = record
	wantDone(t, h.Handle(t.Context(), b))
	wantContent(t, final, "content")
	if string(b.Result) != string(record) {
		t.Errorf("the later holder's result is %q", b.Result)
	}
	// Nor does it take the final for its own once that is gone.
	if err := os.Remove(final); err != nil {
		t.Fatal(err)
	}
	c := producing(t, payload.Payload{Arg: "again", Output: final}, 7, nil)
	c.Committed = record
	wantDone(t, h.Handle(t.Context(), c))
	wantContent(t, final, "again")
}

func TestALaterHolderFinishesWhatWasCommitted(t *testing.T) {
	dir := t.TempDir()
	final := filepath.Join(dir, "out")
	h := publisher(t, Options{}, `printf %s "$1" >"$2"`)
	// The first holder dies with its commit: the store has it, the reply is lost.
	ctx, cancel := context.WithCancelCause(t.Context())
	var record []byte
	a := producing(t, payload.Payload{Arg: "first", Output: final}, 5, func(_ context.Context, b []byte) error {
		record = b
		cancel(queue.ErrLeaseLost)
		return context.Cause(ctx)
	})
	if err := h.Handle(ctx, a); !errors.Is(err, queue.ErrLeaseLost) {
		t.Fatal(err)
	}
	b := producing(t, payload.Payload{Arg: "second", Output: final}, 6, nil)
	b.Committed = record
	wantDone(t, h.Handle(t.Context(), b))
	wantContent(t, final, "first")
	wantFiles(t, dir, "out")
}

func TestWhatIsLeftOfAnEarlierOutputIsReplaced(t *testing.T) {
	dir := t.TempDir()
	final := filepath.Join(dir, "out")
	h := publisher(t, Options{}, `printf %s "$1" >"$2"; printf %s "$1" >"$3/log"`)
	a := producing(t, payload.Payload{Arg: "first", Output: final}, 5, nil)
	wantDone(t, h.Handle(t.Context(), a))
	wantContent(t, filepath.Join(dir, "log"), "first")
	if err := os.Remove(final); err != nil {
		t.Fatal(err)
	}
	b := producing(t, payload.Payload{Arg: "second", Output: final}, 6, nil)
	b.Committed = a.Result
	wantDone(t, h.Handle(t.Context(), b))
	wantContent(t, final, "second")
	wantContent(t, filepath.Join(dir, "log"), "second")
	wantFiles(t, dir, "log", "out")
}

func TestALeaseLostBeforeTheCommitLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	a := producing(t, payload.Payload{Output: filepath.Join(dir, "out")}, 5, func(context.Context, []byte) error {
		t.Error("committed")
		return nil
	})
	lose := consoleFunc(func() { cancel(queue.ErrLeaseLost) })
	h := publisher(t, Options{Console: lose}, `echo x | tee "$2"`)
	if err := h.Handle(ctx, a); !errors.Is(err, queue.ErrLeaseLost) {
		t.Error(err)
	}
	wantFiles(t, dir)
}

// consoleFunc is a console that does something else.
type consoleFunc func()

func (f consoleFunc) Item(*worker.Attempt, io.Reader, io.Reader) error { f(); return nil }

// A worker that was evicted and killed left its staging, and its lease counts
// no attempt.
func TestStagingOfALeaseThatCountedNoAttemptIsRemoved(t *testing.T) {
	dir := t.TempDir()
	final := filepath.Join(dir, "final")
	a := producing(t, payload.Payload{Arg: "x", Output: final}, 6, nil)
	a.Again = true
	dead := publish.NewStage(final, a.Item.ID, 5)
	if err := dead.Create(); err != nil {
		t.Fatal(err)
	}
	h := publisher(t, Options{}, `printf %s "$1" >"$2"`)
	wantDone(t, h.Handle(t.Context(), a))
	wantFiles(t, dir, "final")
}

func TestAStaleTokenPublishesNothing(t *testing.T) {
	dir := t.TempDir()
	h := publisher(t, Options{}, `echo stale >"$2"`)
	a := producing(t, payload.Payload{Output: filepath.Join(dir, "out")}, 5, func(context.Context, []byte) error {
		return fmt.Errorf("store: %w", queue.ErrLeaseLost)
	})
	if err := h.Handle(t.Context(), a); !errors.Is(err, queue.ErrLeaseLost) {
		t.Error(err)
	}
	wantFiles(t, dir)
	if a.Result != nil {
		t.Errorf("the result is %q", a.Result)
	}
}

func TestAFailureLeavesNothing(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		o            Options
		cause        queue.Cause
	}{
		{"exit code 1 with an output", `echo x >"$2"; echo why >&2; exit 1`, Options{}, queue.CauseExitCode},
		{"no output", `echo why >&2`, Options{}, queue.CauseBadOutput},
		{"an empty output", `: >"$2"; echo why >&2`, Options{}, queue.CauseBadOutput},
		{"too small an output", `printf 123 >"$2"; echo why >&2`, Options{MinOutputBytes: 4}, queue.CauseBadOutput},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			a := producing(t, payload.Payload{Output: filepath.Join(dir, "out")}, 5, func(context.Context, []byte) error {
				t.Error("committed")
				return nil
			})
			f := want(t, publisher(t, tt.o, tt.script).Handle(t.Context(), a), queue.Nack, tt.cause)
			if f.Stderr != "why\n" {
				t.Errorf("stderr is %q", f.Stderr)
			}
			wantFiles(t, dir)
		})
	}
}

func TestAnOutputThatExists(t *testing.T) {
	for _, tt := range []struct {
		existing publish.Existing
		verb     queue.Verb
		cause    queue.Cause
		content  string
		result   string // "": a record
	}{
		{"", queue.Bury, queue.CauseBadOutput, "old", ""},
		{publish.ExistingFail, queue.Bury, queue.CauseBadOutput, "old", ""},
		{publish.ExistingSkip, queue.Ack, "", "old", Skipped},
		{publish.ExistingReplace, queue.Ack, "", "new", ""},
	} {
		for _, when := range []string{"before the run", "during the run"} {
			t.Run(fmt.Sprintf("%s, existing %q", when, tt.existing), func(t *testing.T) {
				dir := t.TempDir()
				final := filepath.Join(dir, "out")
				text := `printf new >"$2"`
				if when == "before the run" {
					if err := os.WriteFile(final, []byte("old"), 0o600); err != nil {
						t.Fatal(err)
					}
					if tt.existing != publish.ExistingReplace {
						text = `touch "$1.ran"`
					}
				} else {
					text += `; printf old >"$1"`
				}
				a := producing(t, payload.Payload{Arg: final, Output: final}, 5, nil)
				want(t, publisher(t, Options{Existing: tt.existing}, text).Handle(t.Context(), a), tt.verb, tt.cause)
				wantContent(t, final, tt.content)
				wantFiles(t, dir, "out")
				if tt.result != "" && string(a.Result) != tt.result {
					t.Errorf("the result is %q", a.Result)
				}
			})
		}
	}
}

func TestAnOutputPattern(t *testing.T) {
	dir := t.TempDir()
	pattern, err := template.ParsePattern(filepath.Join(dir, "{/.}.gz"), template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := publisher(t, Options{Output: pattern}, `[ "$2" = "$3/b.gz" ] && echo x >"$2"`)
	wantDone(t, h.Handle(t.Context(), producing(t, payload.Payload{Arg: "a/b.c"}, 5, nil)))
	wantFiles(t, dir, "b.gz")
	want(t, h.Handle(t.Context(), producing(t, payload.Payload{Arg: "\x00"}, 5, nil)), queue.Bury, queue.CauseCannotStart)
}

func TestACommandAndAnItemThatDoNotFit(t *testing.T) {
	con := &shown{}
	h := publisher(t, Options{Console: con}, `echo ran`)
	want(t, h.Handle(t.Context(), producing(t, payload.Payload{}, 5, nil)), queue.Nack, queue.CauseBadOutput)
	h = script(t, Options{Console: con}, `echo ran`)
	want(t, h.Handle(t.Context(), producing(t, payload.Payload{Output: "x"}, 5, nil)), queue.Nack, queue.CauseBadOutput)
	if con.calls != 0 {
		t.Error("it ran")
	}
}

func TestWhatIsFinishedIsCommittedThoughTheWorkerLeaves(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers bool // the store does, within the grace
		verb    queue.Verb
		cause   queue.Cause
	}{
		{"the store answers", true, queue.Ack, ""},
		{"it does not", false, queue.Release, queue.CauseInterrupted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancelCause(t.Context())
			a := producing(t, payload.Payload{Output: filepath.Join(dir, "out")}, 5, func(c context.Context, _ []byte) error {
				cancel(worker.ErrShutdown)
				if c.Err() != nil {
					t.Error("the commit was given up at once")
				}
				if tt.answers {
					return nil
				}
				<-c.Done()
				return fmt.Errorf("%w: %w", queue.ErrUnavailable, c.Err())
			})
			h := publisher(t, Options{Grace: 100 * time.Millisecond}, `echo x >"$2"`)
			want(t, h.Handle(ctx, a), tt.verb, tt.cause)
			if tt.answers {
				wantFiles(t, dir, "out")
				return
			}
			// The commit may have happened: whoever is next decides.
			wantFiles(t, dir, filepath.Base(publish.NewStage(filepath.Join(dir, "out"), "item-1", 5).Dir()))
			if _, err := os.Lstat(filepath.Join(dir, "out")); err == nil {
				t.Error("published without a commit")
			}
		})
	}
}
