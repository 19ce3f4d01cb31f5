package identity

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// file writes a file of some age and returns its path.
func file(t *testing.T, content string, age time.Duration) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in")
	rewrite(t, path, content, time.Now().Add(-age))
	return path
}

func rewrite(t *testing.T, path, content string, mtime time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, mtime, mtime); err != nil {
		t.Fatal(err)
	}
}

func TestStat(t *testing.T) {
	path := file(t, "abc", time.Hour)
	in, err := Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if in.Path != path || in.Size != 3 || in.ModTime != info.ModTime().UnixNano() || in.Inode == 0 || in.SHA256 != "" {
		t.Errorf("Stat = %+v", in)
	}

	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	through, err := Stat(link)
	if err != nil || through.Inode != in.Inode || through.Path != link {
		t.Errorf("Stat of a link = %+v, %v; want the file's inode under the link's path", through, err)
	}

	if _, err := Stat(t.TempDir()); !errors.Is(err, ErrNotRegular) {
		t.Errorf("Stat of a folder: %v, want ErrNotRegular", err)
	}
	if _, err := Stat(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of nothing: %v, want ErrNotExist", err)
	}
}

func TestHash(t *testing.T) {
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	path := file(t, "abc", 0)
	if got, err := Hash(t.Context(), path); got != abc || err != nil {
		t.Errorf("Hash = %q, %v, want %q", got, err, abc)
	}
	if _, err := Hash(t.Context(), filepath.Dir(path)); !errors.Is(err, ErrNotRegular) {
		t.Errorf("Hash of a folder: %v, want ErrNotRegular", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if _, err := Hash(ctx, path); !errors.Is(err, stop) {
		t.Errorf("Hash with a cancelled context: %v, want its cause", err)
	}
}

func TestTake(t *testing.T) {
	for _, c := range []struct {
		name          string
		age           time.Duration
		content       bool
		hashed, times bool
	}{
		{name: "an old file is its stat", age: time.Hour, times: true},
		{name: "a young file is hashed too", age: 0, hashed: true, times: true},
		{name: "a file of the future is young", age: -time.Hour, hashed: true, times: true},
		{name: "content is hash and size alone", age: time.Hour, content: true, hashed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := Take(t.Context(), file(t, "abc", c.age), c.content)
			if err != nil {
				t.Fatal(err)
			}
			if got := in.SHA256 != ""; got != c.hashed {
				t.Errorf("hashed: %t, want %t", got, c.hashed)
			}
			if got := in.ModTime != 0 && in.Inode != 0; got != c.times {
				t.Errorf("has modification time and inode: %t, want %t", got, c.times)
			}
			if err := Check(t.Context(), in); err != nil {
				t.Errorf("Check of what did not change: %v", err)
			}
		})
	}
}

func TestCheckNamesWhatDiffers(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name    string
		age     time.Duration
		content bool
		change  func(t *testing.T, path string, mtime time.Time)
		want    string // in the error; "" for no change
	}{
		{"size", time.Hour, false, func(t *testing.T, p string, m time.Time) { rewrite(t, p, "abcd", m) }, "size was 3 and is 4"},
		{"modification time", time.Hour, false, func(t *testing.T, p string, _ time.Time) { rewrite(t, p, "xyz", now) }, "modification time was"},
		{"inode", time.Hour, false, func(t *testing.T, p string, m time.Time) {
			rewrite(t, p+".new", "abc", m)
			if err := os.Rename(p+".new", p); err != nil {
				t.Fatal(err)
			}
		}, "inode was"},
		{"content of a young file within one tick", 0, false, func(t *testing.T, p string, m time.Time) { rewrite(t, p, "xyz", m) }, "sha256 was"},
		{"content", time.Hour, true, func(t *testing.T, p string, m time.Time) { rewrite(t, p, "xyz", m) }, "sha256 was"},
		{"a touch of a content identity", time.Hour, true, func(t *testing.T, p string, _ time.Time) { rewrite(t, p, "abc", now) }, ""},
		{"gone", time.Hour, false, func(t *testing.T, p string, _ time.Time) {
			if err := os.Remove(p); err != nil {
				t.Fatal(err)
			}
		}, "gone"},
		{"a folder now", time.Hour, false, func(t *testing.T, p string, _ time.Time) {
			if err := errors.Join(os.Remove(p), os.Mkdir(p, 0o777)); err != nil {
				t.Fatal(err)
			}
		}, "no regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := file(t, "abc", c.age)
			in, err := Take(t.Context(), path, c.content)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			c.change(t, path, info.ModTime())
			err = Check(t.Context(), in)
			if c.want == "" {
				if err != nil {
					t.Fatalf("Check: %v, want no change", err)
				}
				return
			}
			changed, ok := errors.AsType[*Changed](err)
			if !ok || changed.Path != path || !strings.Contains(changed.What, c.want) {
				t.Errorf("Check: %v, want a *Changed of %s with %q", err, path, c.want)
			}
		})
	}
}

func TestCheckWithoutAnAnswerIsNoChange(t *testing.T) {
	loop := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	in, err := Stat(file(t, "abc", time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	in.Path = loop
	err = Check(t.Context(), in)
	if _, ok := errors.AsType[*Changed](err); ok || err == nil {
		t.Errorf("Check of what cannot be looked at: %v, want an error that is no *Changed", err)
	}
}
