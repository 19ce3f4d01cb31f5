package template

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"sluice.dev/internal/payload"
)

// reservedPrefix begins the names that sluice keeps for itself.
const reservedPrefix = ".sluice-"

// Pattern is where the outputs of items go, such as out/{/.}.gz. It is safe
// for concurrent use.
type Pattern struct {
	source string
	parts  []part
}

// ParsePattern reads the path of an output. It knows the placeholders of a
// command but for {%}, {out} and {outdir}, which are not known before an item
// runs. Nothing is appended to a pattern without placeholders, and
// Options.Shell makes no difference: no shell sees a pattern.
func ParsePattern(s string, o Options) (*Pattern, error) {
	if s == "" {
		return nil, errors.New("output pattern is empty: a path such as out/{/.}.gz is allowed")
	}
	if strings.HasSuffix(s, "/") {
		return nil, fmt.Errorf("output pattern %q ends in a slash: it must name a file, as %s{/} does", s, s)
	}
	parts, err := grammar{marks: patternMarks, fields: o.Fields, anyField: o.AnyField}.parse(s)
	if err != nil {
		return nil, fmt.Errorf("output pattern: %w", err)
	}
	return &Pattern{source: s, parts: parts}, nil
}

// Expand is the final path of an item's output, cleaned as filepath.Clean
// does. It fails on what the item lacks, on a NUL byte, and on a path whose
// last component cannot be a published name: none, ".", "..", or one that
// begins with ".sluice-".
func (p *Pattern) Expand(pl payload.Payload) (string, error) {
	s, err := expand(p.parts, Values{Payload: pl})
	if err != nil {
		return "", fmt.Errorf("output pattern %q: %w", p.source, err)
	}
	name := s[strings.LastIndexByte(s, '/')+1:]
	var reason string
	switch {
	case s == "":
		reason = "is empty"
	case name == "":
		reason = "ends in a slash"
	case name == "." || name == "..":
		reason = "names a folder that is there already"
	case strings.HasPrefix(name, reservedPrefix):
		reason = "begins its name with " + reservedPrefix + ", which is sluice's own"
	default:
		return filepath.Clean(s), nil
	}
	return "", fmt.Errorf("output pattern %q gives %.200q, which %s: it must name a file", p.source, s, reason)
}

// String is the pattern as it was written, which is its identity.
func (p *Pattern) String() string { return p.source }
