package template

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice.dev/internal/payload"
)

// Shell is the program that runs a command line with Options.Shell.
const Shell = "/bin/sh"

// Options say how a command line is read. The zero value is a command that no
// shell sees, for items without fields.
type Options struct {
	// Shell joins the words with spaces into one script for /bin/sh.
	Shell bool
	// Fields are the names that {name} may have. Names of another form than
	// [A-Za-z_][A-Za-z0-9_-]*, and out and outdir, are no placeholders.
	Fields []string
	// AnyField lets {name} have any name. An item that lacks the field is then
	// an error of Expand.
	AnyField bool
}

// Values are what the placeholders of one attempt become.
type Values struct {
	Payload payload.Payload
	Slot    int    // {%}
	Out     string // {out}; must be set if the template has it
	OutDir  string // {outdir}; must be set if the template has it
}

// Template is a parsed command line. It is safe for concurrent use.
type Template struct {
	source []string // the words as they were written; one with Shell
	words  [][]part // parsed from source
	shell  bool
}

// Parse reads a command line, its program first. A command without any
// placeholder gets {} as its last argument. The error of a placeholder that
// has no meaning lists those that have.
func Parse(argv []string, o Options) (*Template, error) {
	if len(argv) == 0 || strings.TrimSpace(argv[0]) == "" {
		return nil, errors.New("template: the command is empty")
	}
	t := &Template{source: slices.Clone(argv), shell: o.Shell}
	if o.Shell {
		t.source = []string{strings.Join(argv, " ")}
	}
	if err := t.parse(o); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	if t.uses(func(string) bool { return true }) {
		return t, nil
	}
	if o.Shell {
		t.source[0] += " {}"
	} else {
		t.source = append(t.source, "{}")
	}
	if err := t.parse(o); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return t, nil
}

// parse fills words from source.
func (t *Template) parse(o Options) error {
	g := grammar{marks: commandMarks, fields: o.Fields, anyField: o.AnyField}
	t.words = make([][]part, len(t.source))
	for i, s := range t.source {
		parts, err := g.parse(s)
		if err != nil {
			return err
		}
		if t.shell {
			if err := findQuotes(parts); err != nil {
				return err
			}
		}
		t.words[i] = parts
	}
	return nil
}

// Expand is the command line of one attempt, with /bin/sh -c in front when the
// template is for a shell. It fails on what the item lacks (a field that is
// used, a number for {#}, an output for {out}) and on a value with a NUL byte,
// which no argument can hold.
func (t *Template) Expand(v Values) ([]string, error) {
	argv := make([]string, 0, len(t.words)+2)
	if t.shell {
		argv = append(argv, Shell, "-c")
	}
	for _, word := range t.words {
		s, err := expand(word, v)
		if err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
		argv = append(argv, s)
	}
	return argv, nil
}

// Program is the program that the template runs. It is fixed when no item
// changes it, so that it can be looked up once, before the first item; else
// name is the word as it was written.
func (t *Template) Program() (name string, fixed bool) {
	if t.shell {
		return Shell, true
	}
	var text strings.Builder
	for _, p := range t.words[0] {
		if p.mark {
			return t.source[0], false
		}
		text.WriteString(p.text)
	}
	return text.String(), true
}

// UsesOut tells whether the command writes where sluice says, to {out} or
// {outdir}.
func (t *Template) UsesOut() bool {
	return t.uses(func(mark string) bool { return mark == "out" || mark == "outdir" })
}

// Fields are the names of the fields that the template uses, sorted.
func (t *Template) Fields() []string {
	var names []string
	for _, word := range t.words {
		for _, p := range word {
			if p.mark && IsField(p.text) {
				names = append(names, p.text)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (t *Template) uses(is func(mark string) bool) bool {
	for _, word := range t.words {
		for _, p := range word {
			if p.mark && is(p.text) {
				return true
			}
		}
	}
	return false
}

// String is the template's identity: two templates with the same text make the
// same command line of every item.
func (t *Template) String() string {
	words := make([]string, 0, len(t.source)+1)
	if t.shell {
		words = append(words, "shell")
	}
	for _, s := range t.source {
		words = append(words, strconv.Quote(s))
	}
	return strings.Join(words, " ")
}
