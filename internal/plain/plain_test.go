package plain

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                  "",
		"naïve ☃ path/a b":  "naïve ☃ path/a b",
		"\x1b[2Jgone":       `\x1b[2Jgone`,
		"two\nlines\tand\r": `two\nlines\tand\r`,
		"\xff\xfe":          `\xff\xfe`,
		"\ufffd":            "\ufffd",
		"right\u202eto":     `right\u202eto`,
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTextIsHarmless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		got := Text(s)
		if !utf8.ValidString(got) {
			t.Fatalf("Text(%q) = %q is not UTF-8", s, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
				t.Fatalf("Text(%q) = %q has %U", s, got, r)
			}
		}
	})
}
