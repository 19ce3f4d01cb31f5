package publish

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// movers are the ways of renaming that a system may have.
var movers = map[string]mover{
	"system":     system,
	"noExchange": {noReplace: system.noReplace, link: unavailable, exchange: unavailable},
	"linkOnly":   {noReplace: unavailable, link: os.Link, exchange: unavailable},
	"none":       {noReplace: unavailable, link: unavailable, exchange: unavailable},
}

func unavailable(string, string) error { return errors.ErrUnsupported }

// everyMover runs a test with each of them.
func everyMover(t *testing.T, test func(t *testing.T, m mover)) {
	for name, m := range movers {
		t.Run(name, func(t *testing.T) { test(t, m) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o777))
	must(t, os.WriteFile(path, []byte(content), 0o666))
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
	}
}

// wantEntries checks what a folder holds; none also if it is not there.
func wantEntries(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

// created is a new staging folder for dir/name.
func created(t *testing.T, dir, name string, token uint64) *Stage {
	t.Helper()
	s := NewStage(filepath.Join(dir, name), "item", token)
	must(t, s.Create())
	return s
}

// recorded is the record of what is in a staging folder.
func recorded(t *testing.T, s *Stage, e Existing) Record {
	t.Helper()
	r, err := s.Record(0, e)
	must(t, err)
	return r
}

// wantAs checks an error's type and returns it.
func wantAs[E error](t *testing.T, err error) E {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("the error is %v; want a %T", err, e)
	}
	return e
}
