package producer

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

func make1(t *testing.T, m *Maker, n int64, r Record) queue.Item {
	t.Helper()
	it, err := m.Make(t.Context(), n, r)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func TestMakeFillsTheItem(t *testing.T) {
	dir := t.TempDir()
	oldFile(t, filepath.Join(dir, "in", "a.exr"), "abc")
	m := newMaker(t, MakerOptions{
		Scope: "convert {} {out}", Batch: "b-1", Priority: 7, Delay: time.Minute, Dir: dir, Numbered: true,
		Output: func(pl payload.Payload) (string, error) { return "out/../" + filepath.Base(pl.Arg) + ".png", nil },
	})
	it := make1(t, m, 3, Record{Arg: "in/a.exr", File: true, Fields: map[string]string{"shot": "s1"}})
	if it.Batch != "b-1" || it.Priority != 7 || it.Delay != time.Minute || it.Output != dir+"/a.exr.png" {
		t.Errorf("item %+v", it)
	}
	if !regexp.MustCompile(`^[0-9a-f]{20}$`).MatchString(it.ID) {
		t.Errorf("id %q, want 20 hexadecimal digits", it.ID)
	}
	got := decode(t, it)
	if got.Input == nil || got.Input.Inode == 0 || got.Input.ModTime == 0 {
		t.Fatalf("input %+v", got.Input)
	}
	want := payload.Payload{
		Arg: "in/a.exr", N: 3, Fields: map[string]string{"shot": "s1"}, Output: it.Output,
		Input: &payload.Input{Path: dir + "/in/a.exr", Size: 3, ModTime: got.Input.ModTime, Inode: got.Input.Inode},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
}

func TestWhatMakesAnItemThisOne(t *testing.T) {
	dir := t.TempDir()
	oldFile(t, filepath.Join(dir, "file"), "abc")
	m := newMaker(t, MakerOptions{Scope: "s", Dir: dir})
	base := make1(t, m, 1, arg("a"))
	if again := make1(t, m, 9, arg("a")); again.ID != base.ID || string(again.Payload) != string(base.Payload) {
		t.Errorf("the same line in another place is %s %s, was %s %s", again.ID, again.Payload, base.ID, base.Payload)
	}
	ids := map[string]string{base.ID: "a"}
	other := func(name string, it queue.Item) {
		t.Helper()
		if same, ok := ids[it.ID]; ok {
			t.Errorf("%s has the id of %s", name, same)
		}
		ids[it.ID] = name
	}
	other("another argument", make1(t, m, 1, arg("b")))
	other("bytes that are not UTF-8", make1(t, m, 1, arg("\xff")))
	other("other such bytes", make1(t, m, 1, arg("\xfe")))
	other("the replacement for both", make1(t, m, 1, arg("\ufffd")))
	other("a field", make1(t, m, 1, Record{Arg: "a", Fields: map[string]string{"k": "v"}}))
	other("another value", make1(t, m, 1, Record{Arg: "a", Fields: map[string]string{"k": "w"}}))
	other("another scope", make1(t, newMaker(t, MakerOptions{Scope: "s2", Dir: dir}), 1, arg("a")))
	numbered := newMaker(t, MakerOptions{Scope: "s", Dir: dir, Numbered: true})
	other("a number", make1(t, numbered, 1, arg("a")))
	other("another number", make1(t, numbered, 2, arg("a")))
	out := func(payload.Payload) (string, error) { return "out", nil }
	other("an output", make1(t, newMaker(t, MakerOptions{Scope: "s", Dir: dir, Output: out}), 1, arg("a")))
	other("that output in another folder", make1(t, newMaker(t, MakerOptions{Scope: "s", Output: out}), 1, arg("a")))
	other("a file", make1(t, m, 1, arg("file")))
	oldFile(t, filepath.Join(dir, "file"), "abcd")
	other("the file with another size", make1(t, m, 1, arg("file")))
	content := newMaker(t, MakerOptions{Scope: "s", Dir: dir, Content: true})
	byContent := make1(t, content, 1, arg("file"))
	other("the file by content", byContent)
	if err := os.Chtimes(filepath.Join(dir, "file"), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	other("the file that is young now", make1(t, m, 1, arg("file")))
	if it := make1(t, content, 1, arg("file")); it.ID != byContent.ID {
		t.Error("a touch made another item of a file known by content")
	}
	oldFile(t, filepath.Join(dir, "file"), "wxyz")
	other("the file by other content", make1(t, content, 1, arg("file")))
}

func TestWhatNamesAnInput(t *testing.T) {
	dir := t.TempDir()
	oldFile(t, filepath.Join(dir, "file"), "abc")
	oldFile(t, filepath.Join(dir, "latin-\xe9"), "abc")
	byField := MakerOptions{Dir: dir, InputField: "src"}
	for _, c := range []struct {
		name string
		o    MakerOptions
		r    Record
		path string // of the input; "" for none
		err  string
	}{
		{name: "a line that names a file", r: arg("file"), path: dir + "/file"},
		{name: "by its whole path", r: arg(dir + "/file"), path: dir + "/file"},
		{name: "a line that names none", r: arg("frame 12")},
		{name: "a folder", r: arg(dir)},
		{name: "a file as if it were a folder", r: arg("file/x")},
		{name: "nothing", r: arg("")},
		{name: "longer than any name", r: arg(strings.Repeat("x", 5000))},
		{name: "a match that is gone", r: Record{Arg: "gone", File: true}, err: "input: stat " + dir + "/gone: no such file"},
		{name: "a field", o: byField, r: Record{Arg: "x", Fields: map[string]string{"src": "file"}}, path: dir + "/file"},
		{name: "a file with the name of a record", r: Record{Arg: "file", Fields: map[string]string{"frame": "file"}}},
		{name: "a field that names none", o: byField, r: Record{Fields: map[string]string{"src": "gone"}}, err: "no such file"},
		{name: "a field that is not there", o: byField, r: Record{Fields: map[string]string{"b": "", "a": ""}}, err: `input field "src" is missing: the fields are ["a" "b"]`},
		{name: "a folder in the field", o: byField, r: Record{Fields: map[string]string{"src": ""}}, err: "not a regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Dir = dir
			it, err := newMaker(t, c.o).Make(t.Context(), 1, c.r)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got string
			if in := decode(t, it).Input; in != nil {
				got = in.Path
			}
			if got != c.path {
				t.Errorf("input %q, want %q", got, c.path)
			}
		})
	}
}

func TestAnInputWhosePathIsNotText(t *testing.T) {
	dir := t.TempDir()
	oldFile(t, filepath.Join(dir, "\xe9"), "abc")
	m := newMaker(t, MakerOptions{Dir: dir})
	was := make1(t, m, 1, arg("\xe9"))
	if pl := decode(t, was); pl.Arg != "\xe9" || pl.Input == nil || filepath.Base(pl.Input.Path) != "\xe9" {
		t.Errorf("payload %+v, want the argument and the path as they are", pl)
	}
	oldFile(t, filepath.Join(dir, "\xe9"), "abcd")
	if is := make1(t, m, 1, arg("\xe9")); is.ID == was.ID {
		t.Error("the changed file is the same item")
	}
}

func TestMakeRefuses(t *testing.T) {
	output := func(s string, err error) MakerOptions {
		return MakerOptions{Output: func(payload.Payload) (string, error) { return s, err }}
	}
	for _, c := range []struct {
		name string
		o    MakerOptions
		r    Record
		want string
	}{
		{"a NUL byte", MakerOptions{}, arg("a\x00b"), `argument "a\x00b" has a NUL byte`},
		{"a NUL in a field", MakerOptions{}, Record{Fields: map[string]string{"k": "a\x00"}}, `field "k" is "a\x00": a value has any character but NUL`},
		{"a field that the command needs", MakerOptions{Needs: []string{"a", "b"}}, Record{Fields: map[string]string{"a": "1"}}, `field "b" is missing, and {b} stands in the command: the fields are ["a"]`},
		{"a field that is not text", MakerOptions{}, Record{Fields: map[string]string{"k": "\xff"}}, `field "k" is "\xff"`},
		{"a payload above the limit", MakerOptions{}, arg(strings.Repeat("x", queue.MaxPayloadBytes)), "at most 1048576 (1 MiB) are allowed"},
		{"an empty output", output("", nil), arg("a"), "output is empty"},
		{"an output with NUL", output("a\x00", nil), arg("a"), "has a NUL byte"},
		{"the root as output", output("/x/..", nil), arg("a"), `output is "/"`},
		{"a pattern that fails", output("", errors.New("no field {shot}")), arg("a"), "output: no field {shot}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := newMaker(t, c.o).Make(t.Context(), 1, c.r); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %.200v, want %q", err, c.want)
			}
		})
	}
}

func TestNewMakerNamesTheWrongOption(t *testing.T) {
	for _, c := range []struct {
		o    MakerOptions
		want string
	}{
		{MakerOptions{Batch: "Up"}, `batch name "Up"`},
		{MakerOptions{Priority: 10}, "priority 10"},
		{MakerOptions{Delay: -1}, "delay -1ns"},
	} {
		if _, err := NewMaker(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("NewMaker: %v, want %q", err, c.want)
		}
	}
	m, err := NewMaker(MakerOptions{Output: func(payload.Payload) (string, error) { return "o", nil }})
	if err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if it := make1(t, m, 1, arg("a")); it.Output != filepath.Join(wd, "o") {
		t.Errorf("output %q starts elsewhere than %q", it.Output, wd)
	}
}
