package publish

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseExisting(t *testing.T) {
	for s, want := range map[string]Existing{"": ExistingFail, "fail": ExistingFail, "skip": ExistingSkip, "replace": ExistingReplace} {
		if got, err := ParseExisting(s); err != nil || got != want {
			t.Errorf("ParseExisting(%q) = %q, %v; want %q", s, got, err, want)
		}
	}
	if _, err := ParseExisting("Fail"); err == nil || !strings.Contains(err.Error(), `existing "Fail" is unknown: fail, skip and replace are allowed`) {
		t.Errorf("got %v", err)
	}
}

func TestCheck(t *testing.T) {
	final := filepath.Join(t.TempDir(), "a")
	for _, e := range []Existing{"", ExistingFail, ExistingSkip, ExistingReplace} {
		if skip, err := Check(final, e, nil); skip || err != nil {
			t.Errorf("%q, nothing there: %t, %v", e, skip, err)
		}
	}
	must(t, os.Symlink("nowhere", final)) // a link that leads nowhere is something
	info, err := os.Lstat(final)
	must(t, err)
	for e, want := range map[Existing]struct{ skip, fail bool }{"": {fail: true}, ExistingFail: {fail: true}, ExistingSkip: {skip: true}, ExistingReplace: {}} {
		skip, err := Check(final, e, nil)
		if skip != want.skip || (err != nil) != want.fail {
			t.Errorf("%q: %t, %v", e, skip, err)
		}
		if want.fail && wantAs[*Exists](t, err).Path != final {
			t.Errorf("%q: %v", e, err)
		}
		if skip, err := Check(final, e, []File{identify(info)}); skip || err != nil {
			t.Errorf("%q, published before: %t, %v", e, skip, err)
		}
	}
	other := identify(info)
	other.ModTime++
	if _, err := Check(final, ExistingFail, []File{other}); err == nil {
		t.Error("a changed file was taken for the one that was published before")
	}
}
