package template

import (
	"fmt"
	"strings"
)

// quotes are the quotes of a shell that a placeholder stands in.
type quotes uint8

const (
	notShell quotes = iota // the zero value: an argument that no shell sees
	unquoted
	inSingle
	inDouble
)

// put is a value as it is written in these quotes. Quotes of its own are
// closed around it again, so the rest of the script stays in the same ones.
func (q quotes) put(s string) string {
	bare := strings.ReplaceAll(s, `'`, `'\''`)
	switch q {
	case unquoted:
		return `'` + bare + `'`
	case inSingle:
		return bare
	case inDouble:
		return `"'` + bare + `'"`
	}
	return s
}

// findQuotes notes for every mark of a script the quotes that it stands in, or
// says why a value cannot stand there.
func findQuotes(parts []part) error {
	var s script
	for i := range parts {
		p := &parts[i]
		if !p.mark {
			s.read(p.text)
			continue
		}
		q, reason := s.here()
		if reason != "" {
			return fmt.Errorf(`placeholder {%s} stands %s, where it cannot be quoted safely: keep its value before, as in f={%s}; ... "$f"`, p.text, reason, p.text)
		}
		p.quotes = q
	}
	return nil
}

// script follows the quotes of a shell script from its begin. It follows what
// is common, and is lost at the first thing that it might misread: a value
// must never be quoted for a place other than the one where it stands.
type script struct {
	state   state
	outer   state  // param: the state to return to
	parens  []int  // of each $( in double quotes that is open: its open parentheses
	escaped bool   // the last byte was a backslash that escapes
	prev    byte   // the last byte that counts, or one of the stand-ins below; 0 at the begin
	lost    string // why nothing after here is certain
}

type state uint8

const (
	plain state = iota
	single
	double
	comment
	param // in ${...}
)

// Stand-ins for a last byte.
const (
	word byte = 'w' // within a word, whatever the byte was
	subs byte = 's' // the parenthesis of $(
)

// here is the quotes that a placeholder has at this point, or the reason for
// which it can have none. It counts as part of a word.
func (s *script) here() (q quotes, reason string) {
	switch {
	case s.lost != "":
		return 0, "after " + s.lost
	case s.escaped:
		return 0, "after a backslash"
	}
	s.prev = word
	switch s.state {
	case plain:
		return unquoted, ""
	case single:
		return inSingle, ""
	case double:
		return inDouble, ""
	case comment:
		return 0, "in a comment"
	default:
		return 0, "in ${...}"
	}
}

func (s *script) read(text string) {
	for i := 0; i < len(text) && s.lost == ""; i++ {
		c := text[i]
		if s.escaped {
			s.readEscaped(c)
			continue
		}
		switch s.state {
		case plain:
			s.readPlain(c, text[i:])
		case single:
			if c == '\'' {
				s.state, s.prev = plain, word
			}
		case double:
			s.readDouble(c)
		case comment:
			if c == '\n' {
				s.state, s.prev = plain, c
			}
		case param:
			switch c {
			case '}':
				s.state, s.prev = s.outer, word
			case '\'', '"', '\\', '`', '$', '{', '(', '|', ' ', '\t', '\n':
				s.lost = "a ${...} that is more than a name and a pattern"
			}
		}
	}
}

// readEscaped reads the byte after a backslash. A shell takes a line's end
// there as not written at all, so that $ and ( on both sides of it are $(.
func (s *script) readEscaped(c byte) {
	s.escaped = false
	switch {
	case c != '\n':
		s.prev = word
	case s.prev == '$' || s.prev == '<' || s.prev == '(' || s.prev == subs || len(s.parens) > 0:
		s.lost = "a backslash at the end of a line"
	}
}

func (s *script) readPlain(c byte, rest string) {
	begin := s.prev == 0 || strings.IndexByte(" \t\n;&|()<>", s.prev) >= 0 || s.prev == subs
	dollar := s.prev == '$'
	prev := s.prev
	s.prev = c
	switch {
	case c == '\\':
		s.escaped, s.prev = true, prev
	case c == '\'' && dollar:
		s.lost = "$'"
	case c == '\'':
		s.state = single
	case c == '"':
		s.state, s.prev = double, word
	case c == '#' && begin:
		s.state = comment
	case c == '<' && prev == '<':
		s.lost = "a here-document"
	case c == '(' && (prev == '(' || prev == subs):
		s.lost = "arithmetic or (("
	case c == 'c' && len(s.parens) > 0 && strings.HasPrefix(rest, "case"):
		s.lost = "a case in $(...)" // its patterns close parentheses that nothing opened
	case c == '(' && len(s.parens) > 0:
		s.parens[len(s.parens)-1]++
	case c == ')' && len(s.parens) > 0:
		s.close()
	default:
		s.readDollar(c, dollar)
	}
	if c == '(' && dollar {
		s.prev = subs
	}
}

// close reads a closing parenthesis within a $( in double quotes.
func (s *script) close() {
	last := len(s.parens) - 1
	s.parens[last]--
	if s.parens[last] == 0 {
		s.parens = s.parens[:last]
		s.state, s.prev = double, word
	}
}

func (s *script) readDouble(c byte) {
	dollar := s.prev == '$'
	prev := s.prev
	s.prev = c
	switch {
	case c == '\\':
		s.escaped, s.prev = true, prev
	case c == '"':
		s.state, s.prev = plain, word
	case c == '(' && dollar:
		s.parens = append(s.parens, 1)
		s.state, s.prev = plain, subs
	default:
		s.readDollar(c, dollar)
	}
}

// readDollar reads what means the same with and without double quotes.
func (s *script) readDollar(c byte, dollar bool) {
	switch {
	case c == '`':
		s.lost = "a backquote"
	case c == '[' && dollar:
		s.lost = "arithmetic"
	case c == '{' && dollar:
		s.outer, s.state = s.state, param
	case c == '$' && dollar:
		s.prev = word // $$ is a parameter: it does not begin $(
	}
}
