// Package printer shows what a store holds: as a table for people, or as JSON,
// YAML, names or picked values for programs.
package printer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"sluice.dev/internal/plain"
)

// Format is a form of output.
type Format string

// The formats.
const (
	TableFormat Format = "table"
	WideFormat  Format = "wide"
	JSONFormat  Format = "json"
	YAMLFormat  Format = "yaml"
	NameFormat  Format = "name"
)

// Formats lists every format.
var Formats = []string{string(TableFormat), string(WideFormat), string(JSONFormat), string(YAMLFormat), string(NameFormat)}

// Row is one thing to show.
type Row struct {
	Name  string   // kind/name, for NameFormat
	Cells []string // one for each column
	Value any      // for JSON and YAML
}

// Printer prints rows in one format. It remembers the widths of a table's
// columns, so that rows which come later stand under the same head.
type Printer struct {
	W      io.Writer
	Format Format
	// Columns are the heads of a table. One that begins with + is shown in
	// WideFormat alone.
	Columns []string
	// Single has JSON and YAML show the first row alone, not a list of one.
	Single bool

	widths []int
}

// Print prints rows, with a table's head before the first.
func (p *Printer) Print(rows []Row) error {
	if p.Format.whole() {
		return p.document(rows)
	}
	if p.Format == NameFormat {
		return p.lines(rows, nil)
	}
	if len(rows) == 0 {
		return nil
	}
	return p.lines(rows, p.Columns)
}

// More prints rows that came after those of Print.
func (p *Printer) More(rows []Row) error {
	if p.Format.whole() {
		for _, r := range rows {
			one := Printer{W: p.W, Format: p.Format, Single: true}
			if p.Format == YAMLFormat {
				if _, err := io.WriteString(p.W, "---\n"); err != nil {
					return err
				}
			}
			if err := one.document([]Row{r}); err != nil {
				return err
			}
		}
		return nil
	}
	return p.lines(rows, nil)
}

func (p *Printer) document(rows []Row) error {
	var v any
	if p.Single && len(rows) > 0 {
		v = rows[0].Value
	} else {
		list := make([]any, len(rows))
		for i, r := range rows {
			list[i] = r.Value
		}
		v = list
	}
	b, err := p.Format.render(v)
	if err != nil {
		return err
	}
	_, err = p.W.Write(b)
	return err
}

// encode is v as JSON that people read too.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// lines prints a line for each row, under a head unless it is nil.
func (p *Printer) lines(rows []Row, head []string) error {
	var b bytes.Buffer
	if p.Format == NameFormat {
		for _, r := range rows {
			fmt.Fprintln(&b, r.Name)
		}
		_, err := p.W.Write(b.Bytes())
		return err
	}
	var table [][]string
	if head != nil {
		table = append(table, p.shown(head))
		for i, title := range table[0] {
			table[0][i] = strings.TrimPrefix(title, "+")
		}
	}
	for _, r := range rows {
		line := p.shown(r.Cells)
		for i, cell := range line {
			line[i] = plain.Text(cell)
		}
		table = append(table, line)
	}
	for _, line := range table {
		for i, cell := range line {
			if i == len(p.widths) {
				p.widths = append(p.widths, 0)
			}
			p.widths[i] = max(p.widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range table {
		var text strings.Builder
		for i, cell := range line {
			text.WriteString(cell)
			text.WriteString(strings.Repeat(" ", p.widths[i]-utf8.RuneCountInString(cell)+3))
		}
		fmt.Fprintln(&b, strings.TrimRight(text.String(), " "))
	}
	_, err := p.W.Write(b.Bytes())
	return err
}

// shown is the cells whose columns the format shows.
func (p *Printer) shown(cells []string) []string {
	if p.Format == WideFormat {
		return slices.Clone(cells)
	}
	var out []string
	for i, c := range cells {
		if !strings.HasPrefix(p.Columns[i], "+") {
			out = append(out, c)
		}
	}
	return out
}
