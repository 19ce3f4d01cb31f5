package publish

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecordListsEveryEntryTheOutputLast(t *testing.T) {
	dir := t.TempDir()
	s := created(t, dir, "b", 1)
	write(t, s.Out(), "output")
	write(t, filepath.Join(s.Dir(), "a"), "")
	write(t, filepath.Join(s.Dir(), "c", "x"), "in a folder")
	r := recorded(t, s, ExistingFail)
	var names []string
	for _, f := range r.Files {
		names = append(names, f.Name)
		info, err := os.Lstat(filepath.Join(s.Dir(), f.Name))
		must(t, err)
		if !f.is(info) || f.Inode == 0 || f.Dir != info.IsDir() {
			t.Errorf("%+v is not the identity of %v", f, info)
		}
	}
	if d := cmp.Diff([]string{"a", "c", "b"}, names); d != "" {
		t.Error(d)
	}
	if r.Dir != dir || r.Staging != s.Dir() || r.Replace {
		t.Errorf("got %+v", r)
	}
	if last := r.Files[2]; last.Size != 6 || last.ModTime == 0 {
		t.Errorf("got %+v", last)
	}
	if !recorded(t, s, ExistingReplace).Replace || recorded(t, s, ExistingSkip).Replace {
		t.Error("replace and skip are mixed up")
	}
}

func TestBadOutput(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, s *Stage)
		min  int64
		want string // in the message; "" if the output is good
	}{
		{"nothing", func(t *testing.T, s *Stage) {}, 0, "is not there: the command wrote nothing"},
		{"another name", func(t *testing.T, s *Stage) { write(t, s.Out()+".gz", "x") }, 0, `is not there: the command left ["out.gz"] in its place`},
		{"four other names", func(t *testing.T, s *Stage) {
			for _, c := range "abcd" {
				write(t, filepath.Join(s.Dir(), string(c)), "x")
			}
		}, 0, `left ["a" "b" "c"] and more in its place`},
		{"no staging", func(t *testing.T, s *Stage) { must(t, os.RemoveAll(s.Dir())) }, 0, "the command removed it"},
		{"empty", func(t *testing.T, s *Stage) { write(t, s.Out(), "") }, 0, "is empty"},
		{"short", func(t *testing.T, s *Stage) { write(t, s.Out(), "1234") }, 5, "has 4 bytes: at least 5 are wanted"},
		{"long enough", func(t *testing.T, s *Stage) { write(t, s.Out(), "12345") }, 5, ""},
		{"empty folder", func(t *testing.T, s *Stage) { must(t, os.Mkdir(s.Out(), 0o777)) }, 0, "is an empty folder"},
		{"folder", func(t *testing.T, s *Stage) { write(t, filepath.Join(s.Out(), "a"), "") }, 0, ""},
		{"small folder", func(t *testing.T, s *Stage) { write(t, filepath.Join(s.Out(), "a"), "12") }, 3, "has 2 bytes"},
		{"folder with enough", func(t *testing.T, s *Stage) {
			write(t, filepath.Join(s.Out(), "a"), "12")
			write(t, filepath.Join(s.Out(), "b", "c"), "3")
		}, 3, ""},
		{"pipe", func(t *testing.T, s *Stage) { must(t, syscall.Mkfifo(s.Out(), 0o666)) }, 0, "neither a file nor a folder"},
		{"own prefix", func(t *testing.T, s *Stage) {
			write(t, s.Out(), "x")
			write(t, filepath.Join(s.Dir(), ".sluice-x"), "x")
		}, 0, "sluice's own"},
		{"empty companion", func(t *testing.T, s *Stage) {
			write(t, s.Out(), "x")
			write(t, filepath.Join(s.Dir(), "log"), "")
		}, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := created(t, t.TempDir(), "out", 1)
			tt.make(t, s)
			_, err := s.Record(tt.min, ExistingFail)
			if tt.want == "" {
				must(t, err)
				return
			}
			bad := wantAs[*BadOutput](t, err)
			if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(bad.Path, s.Dir()) {
				t.Errorf("got %q, want %q in it", err, tt.want)
			}
		})
	}
}

func TestLinks(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "not the output")
	for _, tt := range []struct {
		name, target string
		min          int64
		want         string // in the message; "" if it is good
	}{
		{"to a companion", "real", 4, ""},
		{"to a small companion", "real", 5, "has 4 bytes"},
		{"into a folder", "dir/file", 6, ""},
		{"to a folder", "dir", 6, ""},
		{"to nothing", "nothing", 0, "which is not there"},
		{"to itself", "out", 0, "which is not there"},
		{"absolute", outside, 0, "only a relative link"},
		{"outwards", "../beside", 0, "only a relative link"},
		{"outwards at second sight", "dir/away", 0, "only a relative link"},
		{"to the staging folder", ".", 0, "only a relative link"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "beside"), "x")
			s := created(t, dir, "out", 1)
			write(t, filepath.Join(s.Dir(), "real"), "real")
			write(t, filepath.Join(s.Dir(), "dir", "file"), "a file")
			must(t, os.Symlink(outside, filepath.Join(s.Dir(), "dir", "away")))
			must(t, os.Symlink(tt.target, s.Out()))
			r, err := s.Record(tt.min, ExistingFail)
			if tt.want != "" {
				wantAs[*BadOutput](t, err)
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %q, want %q in it", err, tt.want)
				}
				return
			}
			must(t, err)
			must(t, Finish(r))
			if got, err := os.Readlink(filepath.Join(dir, "out")); got != tt.target {
				t.Errorf("published a link to %q, %v; want %q", got, err, tt.target)
			}
			if _, err := os.Stat(filepath.Join(dir, "out")); err != nil {
				t.Errorf("the link leads nowhere: %v", err)
			}
		})
	}
}
