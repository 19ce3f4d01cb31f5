package template

import (
	"strings"
	"testing"

	"sluice.dev/internal/payload"
)

func TestPattern(t *testing.T) {
	pl := payload.Payload{Arg: "in/a.tar.gz", N: 7, Fields: map[string]string{"frame": "12"}}
	for pattern, want := range map[string]string{
		"out/{/.}.gz":       "out/a.tar.gz",
		"{.}.zip":           "in/a.tar.zip",
		"./out//{#}.png":    "out/7.png",
		"out/{//}/{frame}":  "out/in/12",
		"fixed":             "fixed",
		"../x/{/}":          "../x/a.tar.gz",
		"o/{{}frame}":       "o/{frame}",
		"o/.sluice-x/{/}":   "o/.sluice-x/a.tar.gz",
		"a/../{/}":          "a.tar.gz",
		"it's \"{/}\" `x`":  "it's \"a.tar.gz\" `x`",
		"/abs/{frame}\xff/": "",
	} {
		// Shell makes no difference: a path is not quoted.
		p, err := ParsePattern(pattern, Options{Fields: []string{"frame"}, Shell: true})
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "ends in a slash") {
				t.Errorf("ParsePattern(%q): %v", pattern, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("ParsePattern(%q): %v", pattern, err)
			continue
		}
		if got, err := p.Expand(pl); err != nil || got != want {
			t.Errorf("Expand(%q) = %q, %v; want %q", pattern, got, err, want)
		}
		if p.String() != pattern {
			t.Errorf("String() = %q, want %q", p, pattern)
		}
	}
}

func TestPatternRefusesWhatIsNotKnownBeforeARun(t *testing.T) {
	for _, s := range []string{"{out}", "{outdir}/x", "x{%}"} {
		_, err := ParsePattern(s, Options{AnyField: true})
		if err == nil || !strings.Contains(err.Error(), "Allowed are {} {.} {/} {/.} {//} {#} and") {
			t.Errorf("ParsePattern(%q): %v", s, err)
		}
	}
	if _, err := ParsePattern("", Options{}); err == nil {
		t.Error("an empty pattern was allowed")
	}
}

func TestPatternRefusesPathsThatNameNoFile(t *testing.T) {
	for _, tt := range []struct{ pattern, arg, want string }{
		{"{}", "", "is empty"},
		{"out/{}", "", "ends in a slash"},
		{"out/{}", "a/", "ends in a slash"},
		{"{}", "/", "ends in a slash"},
		{"{}", ".", "folder that is there already"},
		{"out/{}", "..", "folder that is there already"},
		{"a/b/{}", "..", "folder that is there already"},
		{"out/{}", ".sluice-a-1", "sluice's own"},
		{"{}", "a\x00", "NUL"},
		{"{x}", "", "no such field"},
		{"{#}", "", "no number"},
	} {
		p, err := ParsePattern(tt.pattern, Options{AnyField: true})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Expand(payload.Payload{Arg: tt.arg}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Expand(%q, %q) = %q, %v; want an error with %q", tt.pattern, tt.arg, got, err, tt.want)
		}
	}
}
