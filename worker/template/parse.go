package template

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice.dev/internal/nearest"
)

// The placeholders that have a meaning of their own, without their braces.
var (
	commandMarks = []string{"", ".", "/", "/.", "//", "#", "%", "out", "outdir"}
	patternMarks = []string{"", ".", "/", "/.", "//", "#"}
)

// part is a piece of a word: text, or a placeholder (a mark).
type part struct {
	text   string // of a mark: what stands between its braces
	mark   bool
	quotes quotes // of a mark in a shell's script: those that it stands in
}

// grammar is which placeholders there are.
type grammar struct {
	marks    []string
	fields   []string
	anyField bool
}

// parse splits a word at its placeholders.
func (g grammar) parse(word string) ([]part, error) {
	if strings.IndexByte(word, 0) >= 0 {
		return nil, fmt.Errorf("%.200q has a NUL byte: no argument can hold one", word)
	}
	var parts []part
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, part{text: text.String()})
			text.Reset()
		}
	}
	for rest := word; ; {
		at := strings.IndexByte(rest, '{')
		if at < 0 {
			text.WriteString(rest)
			flush()
			return parts, nil
		}
		// A mark ends in a brace, so a dollar sign is never part of one.
		dollar := at > 0 && rest[at-1] == '$'
		text.WriteString(rest[:at])
		rest = rest[at:]
		run := len(rest) - len(strings.TrimLeft(rest, "{"))
		body, ok := markBody(rest)
		switch {
		case dollar, run == 1 && !ok, run > 1 && !strings.HasPrefix(rest, "{{}"):
			text.WriteString(rest[:run])
			rest = rest[run:]
		case run > 1:
			text.WriteByte('{')
			rest = rest[len("{{}"):]
		case g.knows(body):
			flush()
			parts = append(parts, part{text: body, mark: true})
			rest = rest[len(body)+2:]
		default:
			return nil, g.unknown(body, word)
		}
	}
}

// markBody is what stands between the braces that s begins with, if that
// looks like a placeholder.
func markBody(s string) (string, bool) {
	body, _, ok := strings.Cut(s[1:], "}")
	if !ok || strings.ContainsFunc(body, func(r rune) bool { return !isNameRune(r) && !strings.ContainsRune("./#%", r) }) {
		return "", false
	}
	return body, !isRange(body)
}

// isRange tells whether a shell takes {body} as a range, as in {1..5} and
// {a..z..2}.
func isRange(body string) bool {
	ends := strings.Split(body, "..")
	return len(ends) > 1 && !slices.ContainsFunc(ends, func(end string) bool {
		return end == "" || strings.ContainsAny(end, "./#%_")
	})
}

func isNameRune(r rune) bool {
	return r == '_' || r == '-' || '0' <= r && r <= '9' || isLetter(r)
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func isName(s string) bool {
	return s != "" && (s[0] == '_' || isLetter(rune(s[0]))) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !isNameRune(r) })
}

// reserved tells whether a name never means a field, here or in a command.
func reserved(name string) bool { return slices.Contains(commandMarks, name) }

// IsField tells whether {name} can stand for a field of that name.
func IsField(name string) bool { return isName(name) && !reserved(name) }

func (g grammar) knows(body string) bool {
	if slices.Contains(g.marks, body) {
		return true
	}
	return IsField(body) && (g.anyField || slices.Contains(g.fields, body))
}

// suggest is the placeholder that was most likely meant, "" if none was. Of
// several it is the first of known.
func suggest(body string, known []string) string {
	words := make([]string, 0, len(known))
	for _, k := range slices.Backward(known) {
		words = append(words, "{"+k+"}")
	}
	return nearest.Of("{"+body+"}", words)
}

// maxListed bounds how many field names an error lists.
const maxListed = 20

// unknown is the error of a placeholder without a meaning.
func (g grammar) unknown(body, word string) error {
	known := slices.Clone(g.marks)
	for _, f := range g.fields {
		if IsField(f) {
			known = append(known, f)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "placeholder {%s} in %.200q has no meaning here", body, word)
	if near := suggest(body, known); near != "" {
		fmt.Fprintf(&b, ": did you mean %s?", near)
	} else {
		b.WriteByte('.')
	}
	b.WriteString(" Allowed are")
	for i, k := range known {
		if i == len(g.marks)+maxListed {
			fmt.Fprintf(&b, " and %d more fields", len(known)-i)
			break
		}
		fmt.Fprintf(&b, " {%s}", k)
	}
	if g.anyField {
		b.WriteString(" and {name} for any field")
	}
	fmt.Fprintf(&b, "; {{}%s} is the text {%s}", body, body)
	return errors.New(b.String())
}
