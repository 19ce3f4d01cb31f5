package producer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

// into is an output pattern: the argument up to its first ':', in a folder.
func into(folder string) func(payload.Payload) (string, error) {
	return func(pl payload.Payload) (string, error) {
		name, _, _ := strings.Cut(pl.Arg, ":")
		return filepath.Join(folder, name), nil
	}
}

func text(s string) Source { return Lines(strings.NewReader(s), "list", LineOptions{}) }

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name     string
		lines    string
		existing Existing
		ours     string // the output that is ours
		want     Report
		err      string
	}{
		{name: "nothing", want: Report{}},
		{name: "items and duplicates", lines: "a\nb\na\n\na", want: Report{Lines: 4, Items: 2, Duplicates: 2}},
		{name: "two lines with one output", lines: "a\nb:1\n\nb:2\n", err: "list:4: output DIR/b is that of list:2 too"},
		{name: "an output that exists", lines: "a\nold1\nold1\n", err: "1 output (DIR/old1) there already"},
		{name: "more of them", lines: "old2\na\nold1", existing: Fail, err: "2 outputs (DIR/old2, DIR/old1) there already"},
		{name: "skipped", lines: "a\nold1\na\nold1\nold2", existing: Skip, want: Report{Lines: 5, Items: 1, Duplicates: 1, Skipped: 3}},
		{name: "two of one output, skipped", lines: "old1:1\nold1:2", existing: Skip, err: "list:2: output DIR/old1 is that of list:1 too"},
		{name: "replaced", lines: "old1\na", existing: Replace, want: Report{Lines: 2, Items: 2}},
		{name: "ours", lines: "old1\na", ours: "old1", want: Report{Lines: 2, Items: 2}},
		{name: "one ours, one not", lines: "old1\nold2", ours: "old1", err: "1 output (DIR/old2)"},
		{name: "an unknown word", lines: "a", existing: "keep", err: `existing "keep" is unknown: fail, skip and replace`},
		{name: "a bad line", lines: "a\n\x00", err: "list:2: line has a NUL byte"},
		{name: "a payload above the limit", lines: "a\n" + strings.Repeat("x", queue.MaxPayloadBytes), err: "list:2: payload of item"},
		{name: "a dangling link is there too", lines: "link", err: "1 output (DIR/link)"},
		{name: "a file for a folder", lines: "old1/x/y", existing: Replace, err: "list:1: output folder DIR/old1/x: DIR/old1 is not a folder"},
		{name: "a link to nothing for a folder", lines: "a\nlink/x", err: "list:2: output folder DIR/link: DIR/link is a symbolic link to nothing"},
		{name: "folders to be made", lines: "n1/n2/a\nn1/n2/b\nn1/c", want: Report{Lines: 3, Items: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			oldFile(t, dir+"/old1", "x")
			oldFile(t, dir+"/old2", "x")
			if err := os.Symlink("nowhere", dir+"/link"); err != nil {
				t.Fatal(err)
			}
			o := Outputs{Existing: c.existing}
			if c.ours != "" {
				o.Ours = func(_ context.Context, it queue.Item) (bool, error) { return it.Output == dir+"/"+c.ours, nil }
			}
			m := newMaker(t, MakerOptions{Output: into(dir)})
			got, err := Check(t.Context(), text(c.lines), m, o)
			if c.err == "" && (err != nil || got != c.want) {
				t.Errorf("Check = %+v, %v, want %+v", got, err, c.want)
			}
			if want := strings.ReplaceAll(c.err, "DIR", dir); want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
				t.Errorf("Check: %.300v, want %q", err, want)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
				t.Errorf("the folder holds %v, %v: a check makes nothing", entries, err)
			}
		})
	}
}

func TestCheckNamesTenOutputs(t *testing.T) {
	dir := t.TempDir()
	var lines strings.Builder
	for i := range 13 {
		name := fmt.Sprintf("old%02d", i)
		oldFile(t, filepath.Join(dir, name), "x")
		fmt.Fprintln(&lines, name)
	}
	_, err := Check(t.Context(), text(lines.String()), newMaker(t, MakerOptions{Output: into(dir)}), Outputs{})
	if err == nil || !strings.HasPrefix(err.Error(), "13 outputs (") || !strings.Contains(err.Error(), dir+"/old09 and 3 more)") {
		t.Errorf("Check: %v, want 13, ten of them by name", err)
	}
}

func TestCheckFindsAFolderThatRefusesFiles(t *testing.T) {
	dir := t.TempDir() + "/ro"
	if err := os.Mkdir(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // who may write to every folder but this
		dir = "/proc"
	}
	_, err := Check(t.Context(), text("a"), newMaker(t, MakerOptions{Output: into(dir + "/new")}), Outputs{})
	if err == nil || !strings.Contains(err.Error(), dir+" cannot be written to") {
		t.Errorf("Check: %v", err)
	}
}

func TestCheckPassesOnWhatStopsIt(t *testing.T) {
	dir := t.TempDir()
	oldFile(t, dir+"/old", "x")
	m := newMaker(t, MakerOptions{Output: into(dir)})
	down := errors.New("down")
	_, err := Check(t.Context(), text("a\nold"), m, Outputs{Ours: func(context.Context, queue.Item) (bool, error) { return false, down }})
	if se, ok := errors.AsType[*StoreError](err); !ok || !errors.Is(err, down) || se.First.String() != "list:2" {
		t.Errorf("Check: %v, want the store's error at list:2", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(down)
	if _, err := Check(ctx, text("a"), m, Outputs{}); !errors.Is(err, down) {
		t.Errorf("Check with a cancelled context: %v, want its cause", err)
	}
}

func TestCheckNeedsLittleMemoryAnItem(t *testing.T) {
	const lines = 20_000
	src := func(yield func(Record, error) bool) {
		for i := range lines {
			r := Record{Arg: fmt.Sprintf("%0100d", i), Pos: Position{"list", int64(i + 1)}}
			if !yield(r, nil) {
				return
			}
		}
	}
	dir := t.TempDir()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one found, finalizers kept
	runtime.ReadMemStats(&before)
	last := func(pl payload.Payload) (string, error) {
		if pl.N == lines {
			runtime.GC()
			runtime.ReadMemStats(&after)
		}
		return dir + "/" + pl.Arg, nil
	}
	if _, err := Check(t.Context(), src, newMaker(t, MakerOptions{Output: last}), Outputs{Existing: Replace}); err != nil {
		t.Fatal(err)
	}
	each := (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / lines
	t.Logf("%.0f bytes an item", each)
	if each > 150 {
		t.Errorf("%.0f bytes an item, want about 100", each)
	}
}

func TestReportString(t *testing.T) {
	for _, c := range []struct {
		r    Report
		want string
	}{
		{Report{}, "0 lines, 0 items"},
		{Report{Lines: 10, Items: 9, Duplicates: 1}, "10 lines, 9 items, 1 duplicate"},
		{Report{Lines: 6, Items: 1, Duplicates: 2, Skipped: 3}, "6 lines, 1 item, 2 duplicates, 3 skipped: output exists"},
		{Report{Lines: 1, Items: 1}, "1 line, 1 item"},
	} {
		if got := c.r.String(); got != c.want {
			t.Errorf("%#v is %q, want %q", c.r, got, c.want)
		}
	}
}
