package command

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice.dev/queue"
)

func TestTheTailOfStderrIsValidUTF8AndBounded(t *testing.T) {
	const most = queue.MaxStderrBytes
	for name, tt := range map[string]struct{ written, tail string }{
		"nothing":                      {"", ""},
		"short":                        {"äh\n", "äh\n"},
		"just enough":                  {strings.Repeat("x", most), strings.Repeat("x", most)},
		"too much":                     {"y" + strings.Repeat("x", most), strings.Repeat("x", most)},
		"cut within a character":       {"ä" + strings.Repeat("x", most-1), strings.Repeat("x", most-1)},
		"not UTF-8":                    {"a\xffb", "a\uFFFDb"},
		"not UTF-8, and longer then":   {strings.Repeat("x", most-2) + "\xffb", strings.Repeat("x", most-4) + "\uFFFDb"},
		"a broken start that is whole": {"\xa4b", "\uFFFDb"},
	} {
		c, err := openCapture(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.stderr.WriteString(tt.written); err != nil {
			t.Fatal(err)
		}
		got, err := c.tail()
		if err != nil || got != tt.tail || !utf8.ValidString(got) || len(got) > most {
			t.Errorf("%s: %d bytes %.20q (%v), want %d bytes %.20q", name, len(got), got, err, len(tt.tail), tt.tail)
		}
		c.close()
	}
}

func TestScratchFilesHaveNoName(t *testing.T) {
	for name, open := range map[string]func(string) (*os.File, error){"the system's way": openScratch, "the fallback": openUnlinked} {
		dir := t.TempDir()
		f, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		wantFiles(t, dir)
		for range 2 { // appending goes on at the start after a truncation
			f.WriteString("ab")
			f.WriteString("c")
			b := make([]byte, 4)
			if n, _ := f.ReadAt(b, 0); string(b[:n]) != "abc" {
				t.Errorf("%s: read %q", name, b[:n])
			}
			if err := f.Truncate(0); err != nil {
				t.Fatal(err)
			}
		}
		f.Close()
	}
}
