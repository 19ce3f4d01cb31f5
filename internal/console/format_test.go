package console

import (
	"testing"
	"time"
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
