package template

import (
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"{}", "{{}", "{{}}", "{.}{/}{/.}{//}{#}{%}{out}{outdir}", "{name}", "${x}", "{1..5}", "{ a }", `"{}" '{}'`, "\\{}", "$(({}))", "<<E {}", "{{{"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, shell bool) {
		o := Options{Shell: shell, Fields: []string{"name"}}
		tm, err := Parse([]string{"x", s}, o)
		if err != nil {
			return
		}
		v := values("arg")
		v.Payload.Fields["name"] = "field"
		argv, err := tm.Expand(v)
		if err != nil {
			t.Fatalf("Expand of %q: %v", s, err)
		}
		if !strings.Contains(s, "{") && !shell && argv[1] != s {
			t.Fatalf("text %q became %q", s, argv)
		}
		// What a template says of itself, read again, is the same template.
		again, err := Parse(tm.source, o)
		if err != nil || again.String() != tm.String() {
			t.Fatalf("%s read again is %v, %v", tm, again, err)
		}
	})
}
