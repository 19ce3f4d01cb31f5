package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"sluice.dev/internal/payload"
	"sluice.dev/worker/template"
)

// line is the command of an item as a person would type it. What it writes to
// {out} is shown as what that becomes, since the folder in which it is written
// is made for each attempt.
func (p parsed) line(item []byte, slot int) []byte {
	pl, err := payload.Decode(item)
	if err != nil {
		return fmt.Append(nil, "# ", err)
	}
	v := template.Values{Payload: pl, Slot: slot, Out: pl.Output, OutDir: filepath.Dir(pl.Output)}
	if p.output != nil {
		if v.Out, err = p.output.Expand(pl); err != nil {
			return fmt.Append(nil, "# ", err)
		}
		v.OutDir = filepath.Dir(v.Out)
	}
	argv, err := p.command.Expand(v)
	if err != nil {
		return fmt.Append(nil, "# ", err)
	}
	if p.shell {
		return []byte(argv[len(argv)-1])
	}
	var line []byte
	for i, word := range argv {
		if i > 0 {
			line = append(line, ' ')
		}
		line = append(line, shellWord(word)...)
	}
	return line
}

// shellWord is a word that a shell reads as s.
func shellWord(s string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("%+,-./:=@_^", c)
	}
	if s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !plain(c) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
