package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"sluice.dev/internal/itemlog"
)

func TestSizeValue(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "4096": 4096, "4KiB": 4096, "5000": 5000, "1MiB": 1 << 20, "256MiB": 256 << 20,
		"4095": -1, "3KiB": -1, "257MiB": -1, "-1": -1, "1": -1, "": -1, "MiB": -1, "1GiB": -1, "1.5MiB": -1, "9223372036854775807KiB": -1,
	} {
		n, said := int64(-1), false
		err := sizeValue{&n, &said}.Set(in)
		if n != want || said != (want >= 0) || (err == nil) != said {
			t.Errorf("%q: %d (said %v, %v), want %d", in, n, said, err, want)
		}
		if err == nil {
			again := int64(-1)
			if err := (sizeValue{&again, &said}).Set(sizeValue{&n, &said}.String()); err != nil || again != n {
				t.Errorf("%q is shown as %q, which is %d (%v)", in, sizeValue{&n, &said}, again, err)
			}
		}
	}
	if s := size(itemlog.DefaultLimit); s != "1MiB" {
		t.Errorf("the default is shown as %q", s)
	}
}

func TestShownIsBounded(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("ä", 1000), strings.Repeat("x", 1<<20) + "end"} {
		got := shown(s)
		if len(got) > 600 || !utf8.ValidString(got) || !strings.HasSuffix(got, s[max(0, len(s)-4):]) {
			t.Errorf("%d bytes of %d: %.20q", len(got), len(s), got)
		}
	}
}
