package producer

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestGlob(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"a.png", "b.png", "c.txt", ".hidden.png", "[x].png",
		"s1/a.png", "s1/deep/er/a.png", "s1/deep/c.txt", "s1-b/a.png",
		"s2/.sluice-1-1/a.png", "s2/png/z.png",
	} {
		oldFile(t, filepath.Join(dir, name), "x")
	}
	if err := errors.Join(
		os.Mkdir(filepath.Join(dir, "folder.png"), 0o777),
		os.Symlink("a.png", filepath.Join(dir, "link.png")),
		os.Symlink("nowhere", filepath.Join(dir, "dangling.png")),
		os.Symlink("loop.png", filepath.Join(dir, "loop.png")),
		os.Symlink(".", filepath.Join(dir, "s1", "loop")),
		os.Symlink("s1", filepath.Join(dir, "s3")),
	); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, c := range []struct{ pattern, want string }{
		{"a.png", "a.png"},
		{"*.png", "[x].png a.png b.png link.png"},
		{"./?.png", "./a.png ./b.png"},
		{"[ab].*", "a.png b.png"},
		{`\[x\].png`, "[x].png"},
		{".*.png", ".hidden.png"},
		{"*/a.png", "s1/a.png s1-b/a.png s3/a.png"},
		{"s1//a.png", "s1/a.png"},
		{"s1/../*.txt", "s1/../c.txt"},
		{"*/png/*", "s2/png/z.png"},
		{"**/*.txt", "c.txt s1/deep/c.txt"},
		{"**/a.png", "a.png s1/a.png s1/deep/er/a.png s1-b/a.png"},
		{"s1/**", "s1/a.png s1/deep/c.txt s1/deep/er/a.png"},
		{"**/**/er/**", "s1/deep/er/a.png"},
		{"**/s*/**/a.png", "s1/a.png s1/deep/er/a.png s1-b/a.png s3/a.png s3/deep/er/a.png"},
		{"s2/.sluice-*/*", "s2/.sluice-1-1/a.png"},
		{dir + "/s2/**/*.png", dir + "/s2/png/z.png"},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			got, err := collect(Glob(c.pattern))
			want := strings.Fields(c.want)
			// Within each folder by name: s1 and what is in it before s1-b.
			byParts := func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) }
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("Glob = %q, %v, want %q", got, err, want)
			}
			if !slices.IsSortedFunc(got, byParts) {
				t.Errorf("%q is not sorted", got)
			}
		})
	}
}

// Without ** and hidden names there is a reference.
func TestGlobAgreesWithFilepath(t *testing.T) {
	dir := t.TempDir()
	for _, a := range []string{"a", "ab", "b"} {
		for _, b := range []string{"a", "ab", "b"} {
			oldFile(t, filepath.Join(dir, a, b, "f"), "x")
			oldFile(t, filepath.Join(dir, a, b+".f"), "x")
		}
	}
	t.Chdir(dir)
	for _, pattern := range []string{"*/*/f", "a*/?/f", "*/b*", "[^a]/*", "a/*.f", "?/ab/*"} {
		want, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		want = slices.DeleteFunc(want, func(p string) bool {
			info, err := os.Stat(p)
			return err != nil || info.IsDir()
		})
		got, err := collect(Glob(pattern))
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Glob(%q) = %q, %v, want %q", pattern, got, err, want)
		}
	}
}

func TestGlobErrors(t *testing.T) {
	dir := t.TempDir()
	oldFile(t, filepath.Join(dir, "a.png"), "x")
	t.Chdir(dir)
	for _, c := range []struct{ pattern, want string }{
		{"", `glob "": the pattern is empty`},
		{"x/[", path.ErrBadPattern.Error()},
		{`a\`, path.ErrBadPattern.Error()},
		{"*/", "ends in '/'"},
		{"*.exr", `glob "*.exr": no file matches`},
		{"none/*.png", "no file matches"},
		{"a.png/*", "no file matches"},
		{"**/none", "no file matches"},
		{".", "no file matches"},
	} {
		if got, err := collect(Glob(c.pattern)); len(got) != 0 || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Glob(%q) = %q, %v, want %q", c.pattern, got, err, c.want)
		}
	}
}

func TestGlobSaysWhatItCannotRead(t *testing.T) {
	name := strings.Repeat("x", 300) // longer than a file system allows
	got, err := collect(Glob(t.TempDir() + "/" + name + "/*.png"))
	if !errors.Is(err, syscall.ENAMETOOLONG) || !strings.Contains(err.Error(), name) {
		t.Errorf("Glob = %q, %v, want the system's error with the name", got, err)
	}
}

func TestGlobStopsWhenNoMoreIsWanted(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/1", "a/2", "b/1"} {
		oldFile(t, filepath.Join(dir, name), "x")
	}
	var got []string
	for r, err := range Glob(dir + "/**") {
		if err != nil || !r.File {
			t.Fatalf("record %+v, %v", r, err)
		}
		got = append(got, r.Arg)
		break
	}
	if !slices.Equal(got, []string{dir + "/a/1"}) {
		t.Errorf("got %q", got)
	}
}
