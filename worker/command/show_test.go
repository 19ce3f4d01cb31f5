package command

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice.dev/internal/payload"
	"sluice.dev/worker"
)

// pieces is a console that passes on what it is given, a call at a time.
type pieces chan string

func (p pieces) Item(_ *worker.Attempt, stdout, stderr io.Reader) error {
	out, err := io.ReadAll(stdout)
	if err != nil {
		return err
	}
	errs, err := io.ReadAll(stderr)
	p <- string(out) + string(errs)
	return err
}

func TestLinesAreShownWhileTheCommandRuns(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	for _, which := range []string{"1", "2"} { // a reader of one never meets the other's writer
		if err := unix.Mkfifo(gate+which, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	con := make(pieces, 8)
	h := script(t, Options{Console: con, LineBuffer: true}, `printf 'one\ntw'; read x <"${1}1"; printf 'o\nthree'; read x <"${1}2"; printf '!'`)
	ended := make(chan error, 1)
	go func() { ended <- h.Handle(t.Context(), attempt(t, payload.Payload{Arg: gate})) }()
	for i, want := range []string{"one\n", "two\n"} {
		if got := <-con; got != want {
			t.Errorf("shown: %q, want %q", got, want)
		}
		if err := os.WriteFile(fmt.Sprint(gate, i+1), []byte("go\n"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-con; got != "three!" {
		t.Errorf("shown in the end: %q", got)
	}
	wantDone(t, <-ended)
}

func TestSeenFindsWholeLines(t *testing.T) {
	f, err := openScratch(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := seen{f: f}
	long := strings.Repeat("x", 100_000)
	var got []string
	for _, piece := range []string{"", "a", "b\nc", "\n", long, long + "\nd\n", "e"} {
		if _, err := f.WriteString(piece); err != nil {
			t.Fatal(err)
		}
		r, err := s.lines()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b))
	}
	if want := []string{"", "", "ab\n", "c\n", "", long + long + "\nd\n", ""}; !slices.Equal(got, want) {
		t.Errorf("lines %.200q", got)
	}
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	r, err := s.all()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); string(b) != "new" {
		t.Errorf("after a truncation: %q (%v)", b, err)
	}
}
