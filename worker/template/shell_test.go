package template

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// shells are those of this machine that a /bin/sh may be.
func shells(t *testing.T) map[string][]string {
	found := map[string][]string{"sh": {Shell}}
	for _, sh := range [][]string{{"dash"}, {"bash", "--posix"}, {"bash"}, {"busybox", "sh"}} {
		if path, err := exec.LookPath(sh[0]); err == nil {
			found[strings.Join(sh, " ")] = append([]string{path}, sh[1:]...)
		}
	}
	t.Logf("shells: %v", found)
	return found
}

// run is what a script prints. It runs in dir and has builtin commands only.
func run(sh []string, dir, script string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, sh[0], append(sh[1:len(sh):len(sh)], "-c", script)...)
	cmd.Dir, cmd.Env = dir, []string{"PATH=/nonexistent"}
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return string(out), err
}

func scriptOf(t interface{ Fatal(...any) }, v Values, argv ...string) string {
	tm, err := Parse(argv, Options{Shell: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := tm.Expand(v)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0] != Shell || got[1] != "-c" {
		t.Fatal("not a call of the shell: ", got)
	}
	return got[2]
}

func TestShellScript(t *testing.T) {
	for _, tt := range []struct {
		argv []string
		want string
	}{
		{[]string{"gzip"}, `gzip 'a b'`},
		{[]string{"gzip", "-c", "{}", ">", "{out}"}, `gzip -c 'a b' > 'd/.sluice-x-1/y.gz'`},
		{[]string{"gzip -c {} > {#}"}, `gzip -c 'a b' > '7'`},
		{[]string{`x "{}" '{}'`}, `x ""'a b'"" 'a b'`},
		{[]string{`awk '{ print $1 }' {}`}, `awk '{ print $1 }' 'a b'`},
		{[]string{`x "$(date)" {}`}, `x "$(date)" 'a b'`},
		{[]string{`x "${HOME%/}" {}`}, `x "${HOME%/}" 'a b'`},
		{[]string{`x "$(y "{}" {})" {}`}, `x "$(y ""'a b'"" 'a b')" 'a b'`},
		{[]string{`x "$(y (z) \) {})" "{}"`}, `x "$(y (z) \) 'a b')" ""'a b'""`},
		{[]string{`x \" {} \' {}`}, `x \" 'a b' \' 'a b'`},
		{[]string{`x "\"{}"`}, `x "\""'a b'""`},
		{[]string{"x # it's\n{}"}, "x # it's\n'a b'"},
		{[]string{"x \\\n{}"}, "x \\\n'a b'"},
		{[]string{`x $# a#'b' {}`}, `x $# a#'b' 'a b'`},
		{[]string{`x {}#"y" {}`}, `x 'a b'#"y" 'a b'`},
		{[]string{`x "$$(y" {}`}, `x "$$(y" 'a b'`},
		{[]string{`f={}; x <<< "$f"`}, `f='a b'; x <<< "$f"`},
	} {
		if got := scriptOf(t, values("a b"), tt.argv...); got != tt.want {
			t.Errorf("%q gave\n%s, want\n%s", tt.argv, got, tt.want)
		}
	}
}

func TestShellRefusesPlacesThatCannotBeQuoted(t *testing.T) {
	for text, want := range map[string]string{
		"x <<E\n{}\nE":         "after a here-document",
		"x `y {}`":             "after a backquote",
		"x $'a' {}":            "after $'",
		"x $((1+{}))":          "after arithmetic",
		`x "$(({}))"`:          "after arithmetic",
		"x (({}))":             "after arithmetic",
		"x $[{}]":              "after arithmetic",
		`x \{}`:                "after a backslash",
		`x "\{}"`:              "after a backslash",
		"x # {}":               "in a comment",
		"x # no placeholder":   "in a comment",
		"x ;#{}":               "in a comment",
		"x \\\n#{}":            "in a comment",
		"x ${y:-{}}":           "in ${...}",
		`x "${y:-{}}"`:         "in ${...}",
		`x "${y:-'}" {}`:       "after a ${...}",
		`x "${ y; }" {}`:       "after a ${...}",
		`x "$(case y in y) {}`: "after a case",
		"x $\\\n({})":          "after a backslash at the end of a line",
		"x <\\\n<E {}":         "after a backslash at the end of a line",
		"x `date`":             "after a backquote", // where {} is appended
	} {
		_, err := Parse([]string{text}, Options{Shell: true})
		if err == nil || !strings.Contains(err.Error(), "stands "+want) {
			t.Errorf("Parse(%q): %v; want %q", text, err, want)
		}
	}
}

func TestShellGivesEveryValueByteForByte(t *testing.T) {
	dir := t.TempDir()
	for name, sh := range shells(t) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := strings.ReplaceAll(value().Draw(t, "value"), "\x00", "")
				text := rapid.SampledFrom([]string{
					`printf %sE {}`,
					`printf %sE "{}"`,
					`printf %sE '{}'`,
					`printf %sE ""{}''`,
					`printf '%s'"E" {}`,
					`x={}; printf %sE "$x"`,
					`x="{}"; set --; printf %sE "$x"`,
					`f() { printf %sE "$1"; }; f {}`,
					`printf %s "$(printf %sE "{}")"`,
					`printf %s $(:)"$(printf %sE {})"`,
				}).Draw(t, "script")
				got, err := run(sh, dir, scriptOf(t, values(v), text))
				if err != nil || got != v+"E" {
					t.Fatalf("%s of %q printed %q, %v", text, v, got, err)
				}
			})
		})
	}
}

func value() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.StringOf(rapid.SampledFrom([]rune("'\"\\$`(){};&|<>#!*?[]~ \n\taé"))),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
}

// Whatever a script is made of, if it is accepted then no value of it is run.
func TestShellNeverRunsAValue(t *testing.T) {
	dir := t.TempDir()
	attacks := []string{
		";echo >PWNED;", "$(echo >PWNED)", "`echo >PWNED`", "\necho >PWNED\n", "'; echo >PWNED; '", "\"; echo >PWNED; \"",
		"); echo >PWNED; (", "}; echo >PWNED; {", "\\'; echo >PWNED; \\'", "a[$(echo >PWNED)]", "\nE\necho >PWNED\n",
	}
	fragments := []string{
		"{}", "{}", "{}", " ", " ", "\n", "'", "'", `"`, `"`, `\`, "$", "$(", "$((", "((", "(", ")", "))", "`", "#", " #", "<<E\n", "<", "\nE\n",
		"${x", "${#x", "${x:-", "${ ", "}", "$'", "$[", "]", "case x in x)", ";; esac", ";", "&&", "|", "echo ", ": ", "x=", "{ ", "; }", "\\\n", "$$", "!",
		"if ", "then ", "fi", "[[ ", " ]]", "%", "a",
	}
	for name, sh := range shells(t) {
		t.Run(name, func(t *testing.T) {
			accepted := 0
			rapid.Check(t, func(t *rapid.T) {
				text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(fragments), 1, 14).Draw(t, "fragments"), "")
				tm, err := Parse([]string{text}, Options{Shell: true})
				if err != nil {
					return
				}
				accepted++
				argv, err := tm.Expand(values(rapid.SampledFrom(attacks).Draw(t, "value")))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := run(sh, dir, argv[2]); errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("%q hangs", argv[2])
				}
				if _, err := os.Lstat(filepath.Join(dir, "PWNED")); !errors.Is(err, fs.ErrNotExist) {
					os.Remove(filepath.Join(dir, "PWNED"))
					t.Fatalf("%q ran a value as %q", text, argv[2])
				}
			})
			t.Logf("%d scripts were accepted and run", accepted)
			if accepted == 0 {
				t.Error("no script was accepted: the test has seen nothing")
			}
		})
	}
}

func TestShellAttackIsSeen(t *testing.T) {
	// What the test above looks for does show when a value is not quoted.
	for name, sh := range shells(t) {
		dir := t.TempDir()
		if _, err := run(sh, dir, ": ;echo >PWNED;"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, "PWNED")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
