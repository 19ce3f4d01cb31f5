package console

import (
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestDuration(t *testing.T) {
	for _, test := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "0s"},
		{0, "0s"},
		{1, "1ms"},
		{40 * time.Millisecond, "40ms"},
		{999499 * time.Microsecond, "999ms"},
		{999500 * time.Microsecond, "1s"},
		{1200 * time.Millisecond, "1.2s"},
		{5 * time.Second, "5s"},
		{9940 * time.Millisecond, "9.9s"},
		{9950 * time.Millisecond, "10s"},
		{42400 * time.Millisecond, "42s"},
		{59600 * time.Millisecond, "1m00s"},
		{65 * time.Second, "1m05s"},
		{time.Hour - time.Millisecond, "1h00m"},
		{2*time.Hour + 13*time.Minute, "2h13m"},
		{24*time.Hour - time.Second, "1d00h"},
		{76 * time.Hour, "3d04h"},
	} {
		if got := Duration(test.d); got != test.want {
			t.Errorf("Duration(%v) = %q, want %q", test.d, got, test.want)
		}
	}
}

func TestRate(t *testing.T) {
	for _, test := range []struct {
		rate float64
		want string
	}{
		{0, "0.0/s"},
		{0.4, "0.4/s"},
		{12.4, "12.4/s"},
		{99.94, "99.9/s"},
		{99.95, "100/s"},
		{1240, "1240/s"},
		{2.5 / 60, "2.5/min"},
		{1.5 / 3600, "1.5/h"},
	} {
		if got := Rate(test.rate); got != test.want {
			t.Errorf("Rate(%v) = %q, want %q", test.rate, got, test.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ s, want string }{
		{"", ""},
		{"in/corrupt.gz", "in/corrupt.gz"},
		{`back\slash "quoted" 'too'`, `back\slash "quoted" 'too'`},
		{"grün 世界", "grün 世界"},
		{"\x1b[31mred\a", `\x1b[31mred\a`},
		{"a\nb\tc\r", `a\nb\tc\r`},
		{"bad\xff\x9b2J", `bad\xff\x9b2J`},
		{"c1\u009b2J", `c1\u009b2J`},
		{"turn\u202etxt", `turn\u202etxt`},
		{"\ufffd", "\ufffd"},
	} {
		if got := printable(test.s); got != test.want {
			t.Errorf("printable(%q) = %q, want %q", test.s, got, test.want)
		}
	}
}

func TestPrintableIsHarmless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		got := printable(s)
		if !utf8.ValidString(got) {
			t.Fatalf("printable(%q) = %q is not UTF-8", s, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
				t.Fatalf("printable(%q) = %q has %U", s, got, r)
			}
		}
	})
}

func TestShorten(t *testing.T) {
	for _, test := range []struct {
		s    string
		n    int
		want string
	}{
		{"short", 5, "short"},
		{"longer", 5, "longe..."},
		{"äöü", 3, "ä..."},
		{"\xbf\xbf\xbf\xbf", 2, "..."},
	} {
		if got := shorten(test.s, test.n); got != test.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", test.s, test.n, got, test.want)
		}
	}
}
