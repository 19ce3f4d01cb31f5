package producer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"sluice.dev/queue"
)

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name, in string
		null     bool
		want     []string
	}{
		{name: "nothing", in: ""},
		{name: "only an end", in: "\n"},
		{name: "two lines", in: "a\nb\n", want: []string{"a", "b"}},
		{name: "the last line without its end", in: "a\nb", want: []string{"a", "b"}},
		{name: "empty lines are passed over", in: "\n\na\n\nb\n\n", want: []string{"a", "b"}},
		{name: "spaces are bytes like others", in: " \n a \n", want: []string{" ", " a "}},
		{name: "lines of another system", in: "a\r\n\r\nb\r\n", want: []string{"a", "b"}},
		{name: "the last of them without its end", in: "a\r\nb\r", want: []string{"a", "b"}},
		{name: "one carriage return goes", in: "a\r\r\nb\rc\n", want: []string{"a\r", "b\rc"}},
		{name: "bytes that are not UTF-8", in: "\xff\xfe\n", want: []string{"\xff\xfe"}},
		{name: "NUL ends", in: "a\nb\x00\x00c\r\x00", null: true, want: []string{"a\nb", "c\r"}},
		{name: "NUL ends, not the last", in: "a\x00b", null: true, want: []string{"a", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := collect(Lines(strings.NewReader(c.in), "in", LineOptions{Null: c.null}))
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("Lines(%q) = %q, %v, want %q", c.in, got, err, c.want)
			}
		})
	}
}

func TestLinesAreWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		null := rapid.Bool().Draw(t, "null")
		end := "\n"
		if null {
			end = "\x00"
		}
		line := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string {
			s := strings.NewReplacer("\x00", "0", "\n", "n").Replace(string(b))
			if !null {
				s = strings.TrimRight(s, "\r")
			}
			return s
		}).Filter(func(s string) bool { return s != "" })
		want := rapid.SliceOf(line).Draw(t, "lines")
		in := strings.Join(want, end)
		if len(want) > 0 && rapid.Bool().Draw(t, "last end") {
			in += end
		}
		r := io.Reader(strings.NewReader(in))
		if rapid.Bool().Draw(t, "a byte a read") {
			r = iotest.OneByteReader(r)
		}
		got, err := collect(Lines(r, "in", LineOptions{Null: null}))
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("Lines(%q) = %q, %v, want %q", in, got, err, want)
		}
	})
}

func TestLinesOfEveryLength(t *testing.T) {
	// Around the reader's buffer and around the limit.
	for _, n := range []int{64<<10 - 1, 64 << 10, 64<<10 + 1, queue.MaxPayloadBytes} {
		for _, end := range []string{"", "\n", "\r\n"} {
			line := strings.Repeat("x", n)
			got, err := collect(Lines(strings.NewReader("a\n"+line+end), "in", LineOptions{}))
			if err != nil || len(got) != 2 || got[1] != line {
				t.Errorf("a line of %d bytes before %q: %d lines, %v", n, end, len(got), err)
			}
		}
	}
	for _, more := range []int{1, 2, 3, 10 << 20} {
		for _, end := range []string{"", "\n", "\r\n"} {
			line := strings.Repeat("x", queue.MaxPayloadBytes+more)
			got, err := collect(Lines(strings.NewReader("a\n\n"+line+end), "in", LineOptions{}))
			if len(got) != 1 || err == nil || !strings.Contains(err.Error(), "in:3: line is too long: at most 1048576 bytes") {
				t.Errorf("a line of %d bytes too many before %q: %d lines, %v", more, end, len(got), err)
			}
		}
	}
}

func TestLinesNamesTheLineOfAnError(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		r    io.Reader
		want string
	}{
		{"a NUL byte", strings.NewReader("a\nb\x00\n"), "in:2: line has a NUL byte"},
		{"a reader that fails within a line", io.MultiReader(strings.NewReader("a\nhalf"), iotest.ErrReader(broken)), "in:2: broken"},
		{"an end of file that is a fault", io.MultiReader(strings.NewReader("a\n"), iotest.ErrReader(fmt.Errorf("cut off: %w", io.EOF))), "in:2: cut off: EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := collect(Lines(c.r, "in", LineOptions{}))
			if !slices.Equal(got, []string{"a"}) || err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %q, %v, want a line and %q", got, err, c.want)
			}
		})
	}
}

func TestFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte("a\nb"), 0o666); err != nil {
		t.Fatal(err)
	}
	src := File(path, LineOptions{})
	for range 2 {
		if got, err := collect(src); err != nil || !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("File = %q, %v", got, err)
		}
	}
	for r, err := range src {
		if err != nil || r.Pos.String() != path+":1" {
			t.Errorf("first record is at %q, %v", r.Pos, err)
		}
		break
	}
	if _, err := collect(File(path+"x", LineOptions{})); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("File of nothing: %v, want ErrNotExist", err)
	}
}

func TestArgs(t *testing.T) {
	want := []string{"a", "", "a\nb"}
	if got, err := collect(Args(want)); err != nil || !slices.Equal(got, want) {
		t.Errorf("Args = %q, %v, want %q", got, err, want)
	}
}

// lineSource is n short lines that are made as they are read.
type lineSource struct {
	n   int
	buf []byte
}

func (s *lineSource) Read(p []byte) (int, error) {
	if len(s.buf) == 0 {
		if s.n == 0 {
			return 0, io.EOF
		}
		lines := min(s.n, 1000)
		s.n -= lines
		s.buf = bytes.Repeat([]byte("frames/shot-0001.exr\n"), lines)
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	return n, nil
}

func TestAMillionLinesInConstantMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var ms runtime.MemStats
		runtime.ReadMemStats(&ms)
		return ms.HeapAlloc
	}
	const lines = 1_000_000
	var n int
	var early, late uint64
	for _, err := range Lines(&lineSource{n: lines}, "in", LineOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		switch n {
		case 1000:
			early = heap()
		case lines:
			late = heap()
		}
	}
	if n != lines {
		t.Fatalf("%d lines, want %d", n, lines)
	}
	if late > early+256<<10 {
		t.Errorf("heap grew from %d to %d bytes over %d lines", early, late, lines)
	}
}
