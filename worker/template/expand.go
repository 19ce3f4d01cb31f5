package template

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// expand puts the values into one word.
func expand(word []part, v Values) (string, error) {
	var b strings.Builder
	for _, p := range word {
		if !p.mark {
			b.WriteString(p.text)
			continue
		}
		s, err := v.of(p.text)
		if err != nil {
			return "", fmt.Errorf("{%s}: %w", p.text, err)
		}
		if strings.IndexByte(s, 0) >= 0 {
			return "", fmt.Errorf("{%s}: %.40q has a NUL byte: no argument can hold one", p.text, s)
		}
		b.WriteString(p.quotes.put(s))
	}
	return b.String(), nil
}

// of is the value of a mark.
func (v Values) of(mark string) (string, error) {
	arg := v.Payload.Arg
	switch mark {
	case "":
		return arg, nil
	case ".":
		return trimExt(arg), nil
	case "/":
		return base(arg), nil
	case "/.":
		return trimExt(base(arg)), nil
	case "//":
		return dir(arg), nil
	case "#":
		if v.Payload.N < 1 {
			return "", errors.New("the item has no number")
		}
		return strconv.FormatInt(v.Payload.N, 10), nil
	case "%":
		return strconv.Itoa(v.Slot), nil
	case "out":
		return given(v.Out)
	case "outdir":
		return given(v.OutDir)
	}
	s, ok := v.Payload.Fields[mark]
	if !ok {
		return "", lacks(v.Payload.Fields)
	}
	return s, nil
}

func given(path string) (string, error) {
	if path == "" {
		return "", errors.New("the item has no output")
	}
	return path, nil
}

func lacks(fields map[string]string) error {
	if len(fields) == 0 {
		return errors.New("the item has no such field: it has none")
	}
	names := slices.Sorted(maps.Keys(fields))
	more := ""
	if n := len(names) - maxListed; n > 0 {
		names, more = names[:maxListed], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("the item has no such field: it has %s%s", strings.Join(names, ", "), more)
}

// The functions below take a path apart by its bytes alone. path/filepath
// would clean it, and a command must get the name that it was given.

func trimExt(p string) string {
	name := strings.LastIndexByte(p, '/') + 1
	for name < len(p) && p[name] == '.' {
		name++ // a hidden file's dot begins its name
	}
	if dot := strings.LastIndexByte(p[name:], '.'); dot >= 0 {
		return p[:name+dot]
	}
	return p
}

func base(p string) string {
	s := trimSlashes(p)
	if s == "/" {
		return s
	}
	return s[strings.LastIndexByte(s, '/')+1:]
}

func dir(p string) string {
	s := trimSlashes(p)
	at := strings.LastIndexByte(s, '/')
	if at < 0 {
		return "."
	}
	return trimSlashes(s[:at+1])
}

// trimSlashes drops the slashes at the end of a path but not the root.
func trimSlashes(p string) string {
	s := strings.TrimRight(p, "/")
	if s == "" && p != "" {
		return "/"
	}
	return s
}
