package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file.
type Position struct {
	File         string // - is standard input
	Line, Column int    // from 1; a line of 0 is the file as a whole
}

func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Error is one fault of a file.
type Error struct {
	Position
	Path    string // of the field, such as spec.template.spec.containers[0].image; "" for a document
	Message string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s: %s", e.Position, e.Message)
	}
	return fmt.Sprintf("%s: %s: %s", e.Position, e.Path, e.Message)
}

// Errors are the faults of some files, file by file in the order of the lines.
type Errors []*Error

// sorted puts the faults of one file into the order of its lines, each once: an
// alias shows the same place again.
func (e Errors) sorted() Errors {
	slices.SortFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(e, func(a, b *Error) bool { return a.Position == b.Position && a.Message == b.Message })
}

// anyOf lists what is allowed: a, b or c.
func anyOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
