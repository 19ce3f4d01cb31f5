package template

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/internal/payload"
)

// values are an item with everything that a template may ask for.
func values(arg string) Values {
	return Values{
		Payload: payload.Payload{Arg: arg, N: 7, Fields: map[string]string{"frame": "12", "in-file": "a b"}},
		Slot:    3,
		Out:     "d/.sluice-x-1/y.gz",
		OutDir:  "d/.sluice-x-1",
	}
}

var withFields = Options{Fields: []string{"frame", "in-file"}}

func TestExpand(t *testing.T) {
	for _, tt := range []struct {
		argv []string
		want []string
	}{
		{[]string{"gzip"}, []string{"gzip", "dir/a.tar.gz"}},
		{[]string{"gzip", "{}"}, []string{"gzip", "dir/a.tar.gz"}},
		{[]string{"cp", "{}", "{out}"}, []string{"cp", "dir/a.tar.gz", "d/.sluice-x-1/y.gz"}},
		{[]string{"x", "{.}", "{/}", "{/.}", "{//}"}, []string{"x", "dir/a.tar", "a.tar.gz", "a.tar", "dir"}},
		{[]string{"x", "{#}", "{%}", "{outdir}"}, []string{"x", "7", "3", "d/.sluice-x-1"}},
		{[]string{"x", "--frame={frame}", "{in-file}"}, []string{"x", "--frame=12", "a b"}},
		{[]string{"x", "a{}b{}c"}, []string{"x", "adir/a.tar.gzbdir/a.tar.gzc"}},
		{[]string{"{/.}.sh", "-v"}, []string{"a.tar.sh", "-v"}},
		{[]string{"x", "", "{#}"}, []string{"x", "", "7"}},
		{[]string{"x", "\xff{#}"}, []string{"x", "\xff7"}},
	} {
		tm, err := Parse(tt.argv, withFields)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.argv, err)
			continue
		}
		got, err := tm.Expand(values("dir/a.tar.gz"))
		if err != nil {
			t.Errorf("Expand(%q): %v", tt.argv, err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("Expand(%q) (-want +got):\n%s", tt.argv, d)
		}
	}
}

func TestTextStaysAsItIs(t *testing.T) {
	for _, text := range []string{
		`{ print $1 }`, `{a,b}`, `{a, b}`, `{"key":"value"}`, `{'x'}`, "{a\nb}", `{größe}`,
		`${VAR}`, `${#}`, `${}`, `${out}`, `$${x}`, `${{ matrix.os }}`, `${{}}`,
		`{1..5}`, `{a..z}`, `{01..10..2}`, `{-5..5}`,
		`{{.Names}}`, `{{range .X}}{{.Y}}{{end}}`, `{{name}}`, `{{{}}}`,
		`{`, `}`, `{{`, `}}`, `}{`, `a{`, `{a`, `{a{`, `x}y`,
	} {
		tm, err := Parse([]string{"x", text, "{#}"}, Options{})
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
			continue
		}
		got, err := tm.Expand(values("arg"))
		if err != nil || got[1] != text {
			t.Errorf("Expand(%q) = %q, %v", text, got, err)
		}
	}
}

func TestBracesInText(t *testing.T) {
	for text, want := range map[string]string{
		`{{}`:                    `{`,
		`{{}}`:                   `{}`,
		`{{}3}`:                  `{3}`,
		`{{}name} {}`:            `{name} arg`,
		`{a,{}}`:                 `{a,arg}`,
		`{"a":"{}","b":{{}}}`:    `{"a":"arg","b":{}}`,
		`${VAR:-{}}`:             `${VAR:-arg}`,
		`{ print $1 "{}" }`:      `{ print $1 "arg" }`,
		`{{.Name}} {}`:           `{{.Name}} arg`,
		`$ {}`:                   `$ arg`,
		`{}{}`:                   `argarg`,
		`{{}{}}`:                 `{arg}`,
		`-w '%{{}http_code}' {}`: `-w '%{http_code}' arg`,
	} {
		tm, err := Parse([]string{"x", text, "{#}"}, Options{})
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
			continue
		}
		got, err := tm.Expand(values("arg"))
		if err != nil || got[1] != want {
			t.Errorf("Expand(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestPathParts(t *testing.T) {
	for _, tt := range []struct{ arg, noExt, base, baseNoExt, dir string }{
		{"a.txt", "a", "a.txt", "a", "."},
		{"d/a.tar.gz", "d/a.tar", "a.tar.gz", "a.tar", "d"},
		{"d.d/a", "d.d/a", "a", "a", "d.d"},
		{"d//a.b", "d//a", "a.b", "a", "d"},
		{"/a.b", "/a", "a.b", "a", "/"},
		{"/", "/", "/", "/", "/"},
		{"//", "//", "/", "/", "/"},
		{"", "", "", "", "."},
		{".bashrc", ".bashrc", ".bashrc", ".bashrc", "."},
		{"d/.a.b", "d/.a", ".a.b", ".a", "d"},
		{"..", "..", "..", "..", "."},
		{"../x", "../x", "x", "x", ".."},
		{"a.", "a", "a.", "a", "."},
		{"d.x/e.x/", "d.x/e.x/", "e.x", "e", "d.x"},
		{"a/../b.c", "a/../b", "b.c", "b", "a/.."},
		{"-rf.x", "-rf", "-rf.x", "-rf", "."},
		{"\xff/\xfe.\xfd", "\xff/\xfe", "\xfe.\xfd", "\xfe", "\xff"},
	} {
		tm, err := Parse([]string{"x", "{.}", "{/}", "{/.}", "{//}"}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := tm.Expand(values(tt.arg))
		if err != nil {
			t.Errorf("%q: %v", tt.arg, err)
		}
		if d := cmp.Diff([]string{"x", tt.noExt, tt.base, tt.baseNoExt, tt.dir}, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", tt.arg, d)
		}
	}
}

func TestParseErrors(t *testing.T) {
	anyField := Options{AnyField: true}
	for _, tt := range []struct {
		argv []string
		o    Options
		want []string // parts of the error
	}{
		{nil, Options{}, []string{"the command is empty"}},
		{[]string{""}, Options{}, []string{"the command is empty"}},
		{[]string{"", "x"}, Options{}, []string{"the command is empty"}},
		{[]string{" "}, Options{Shell: true}, []string{"the command is empty"}},
		{[]string{"x", "{name}"}, Options{}, []string{"placeholder {name} in \"{name}\"", "Allowed are {} {.} {/} {/.} {//} {#} {%} {out} {outdir};", "{{}name} is the text {name}"}},
		{[]string{"x", "{fraem}"}, withFields, []string{"did you mean {frame}?", "{outdir} {frame} {in-file};"}},
		{[]string{"x", "{Frame}"}, withFields, []string{"did you mean {frame}?"}},
		{[]string{"x", "{./}"}, Options{}, []string{"did you mean {.}?"}},
		{[]string{"x", "{///}"}, Options{}, []string{"did you mean {//}?"}},
		{[]string{"x", "{..}"}, Options{}, []string{"did you mean {.}?"}},
		{[]string{"x", "{1}"}, Options{}, []string{"placeholder {1}", "did you mean {}?"}},
		{[]string{"x", "{output}"}, Options{}, []string{"placeholder {output} in \"{output}\" has no meaning here. Allowed"}},
		{[]string{"x", "{frame.}"}, withFields, []string{"placeholder {frame.}"}},
		{[]string{"x", "{1x}"}, anyField, []string{"placeholder {1x}", "and {name} for any field"}},
		{[]string{"x", "{a.b}"}, anyField, []string{"placeholder {a.b}"}},
		{[]string{"x", "{a b}", "{a.b}"}, Options{Fields: []string{"a b", "a.b", "out"}}, []string{"placeholder {a.b}", "{outdir};"}},
		{[]string{"x\x00"}, Options{}, []string{`"x\x00" has a NUL byte`}},
		{[]string{"x", "{frame}"}, Options{Shell: true}, []string{"placeholder {frame}"}},
	} {
		_, err := Parse(tt.argv, tt.o)
		if err == nil {
			t.Errorf("Parse(%q, %+v) gave no error", tt.argv, tt.o)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Parse(%q, %+v): %q does not say %q", tt.argv, tt.o, err, want)
			}
		}
	}
}

func TestUnknownPlaceholderListsAtMostTwentyFields(t *testing.T) {
	var o Options
	for c := 'a'; c <= 'z'; c++ {
		o.Fields = append(o.Fields, strings.Repeat(string(c), 9))
	}
	_, err := Parse([]string{"{typo}"}, o)
	if err == nil || !strings.Contains(err.Error(), "{ttttttttt} and 6 more fields;") {
		t.Errorf("got %v", err)
	}
}

func TestExpandErrors(t *testing.T) {
	for _, tt := range []struct {
		word string
		v    Values
		want string
	}{
		{"{other}", values("a"), "{other}: the item has no such field: it has frame, in-file"},
		{"{other}", Values{}, "{other}: the item has no such field: it has none"},
		{"{}", values("a\x00b"), `{}: "a\x00b" has a NUL byte`},
		{"{frame}", Values{Payload: payload.Payload{Fields: map[string]string{"frame": "\x00"}}}, "{frame}: "},
		{"{#}", Values{}, "{#}: the item has no number"},
		{"{out}", Values{}, "{out}: the item has no output"},
		{"{outdir}", Values{}, "{outdir}: the item has no output"},
	} {
		for _, shell := range []bool{false, true} {
			tm, err := Parse([]string{"x", tt.word}, Options{AnyField: true, Shell: shell})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := tm.Expand(tt.v); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Expand(%q) = %q, %v; want an error with %q", tt.word, got, err, tt.want)
			}
		}
	}
}

func TestProgram(t *testing.T) {
	for _, tt := range []struct {
		argv  []string
		shell bool
		name  string
		fixed bool
	}{
		{[]string{"gzip"}, false, "gzip", true},
		{[]string{"{{}x}", "{}"}, false, "{x}", true},
		{[]string{"bin/{/.}", "x"}, false, "bin/{/.}", false},
		{[]string{"{}"}, true, "/bin/sh", true},
	} {
		tm, err := Parse(tt.argv, Options{Shell: tt.shell})
		if err != nil {
			t.Fatal(err)
		}
		if name, fixed := tm.Program(); name != tt.name || fixed != tt.fixed {
			t.Errorf("Program(%q) = %q, %t; want %q, %t", tt.argv, name, fixed, tt.name, tt.fixed)
		}
	}
}

func TestUsesOut(t *testing.T) {
	for word, want := range map[string]bool{"{}": false, "{{}out}": false, "${out}": false, "x={out}": true, "{outdir}": true} {
		tm, err := Parse([]string{"x", word}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := tm.UsesOut(); got != want {
			t.Errorf("UsesOut of %q = %t, want %t", word, got, want)
		}
	}
}

func TestStringIsTheIdentity(t *testing.T) {
	text := func(shell bool, argv ...string) string {
		tm, err := Parse(argv, Options{Shell: shell})
		if err != nil {
			t.Fatal(err)
		}
		return tm.String()
	}
	if a, b := text(false, "gzip"), text(false, "gzip", "{}"); a != b {
		t.Errorf("the same command has two identities, %s and %s", a, b)
	}
	if a, b := text(true, "gzip -9"), text(true, "gzip", "-9", "{}"); a != b {
		t.Errorf("the same script has two identities, %s and %s", a, b)
	}
	seen := map[string][]string{}
	for _, argv := range [][]string{
		{"x", "a b"}, {"x", "a", "b"}, {"x a", "b"}, {"x", `a" "b`}, {"x", "{.}"}, {"x", "\xff"}, {"x", "\xfe"},
		{"/bin/sh", "-c", "x {}"}, {"shell", "x {}"},
	} {
		s := text(false, argv...)
		if was, ok := seen[s]; ok {
			t.Errorf("%q and %q share the identity %s", was, argv, s)
		}
		seen[s] = argv
	}
	if s := text(true, "x"); seen[s] != nil {
		t.Errorf("a script and %q share the identity %s", seen[s], s)
	}
}

func TestParseDoesNotKeepItsArguments(t *testing.T) {
	argv := []string{"gzip", "{}"}
	tm, err := Parse(argv, Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := tm.String()
	argv[0] = "rm"
	if got := tm.String(); got != before {
		t.Errorf("a change of argv changed the template to %s", got)
	}
}
