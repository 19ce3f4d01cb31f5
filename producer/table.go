package producer

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

// JSONLines yields the JSON objects of r, one a line, whose members are the
// fields: strings as they are, numbers, true, false and null as they are
// written. An object or a list as a value is an error: no argument of a command
// means it. The argument is the line. name is what errors call r; lines are
// those of Lines.
func JSONLines(r io.Reader, name string) Source {
	return func(yield func(Record, error) bool) {
		for rec, err := range Lines(r, name, LineOptions{}) {
			if err == nil {
				if rec.Fields, err = members(rec.Arg); err != nil {
					err = fmt.Errorf("%s: %w", rec.Pos, err)
				}
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// members is the members of the object that a line has. Unlike json.Unmarshal
// it refuses what would be lost: a name that comes twice, bytes that are no
// UTF-8.
func members(line string) (map[string]string, error) {
	if !utf8.ValidString(line) {
		return nil, errors.New("line is not UTF-8, and JSON is")
	}
	dec := json.NewDecoder(strings.NewReader(line))
	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		return nil, fmt.Errorf("line %.40q is no JSON object: one a line is allowed", line)
	}
	fields := make(map[string]string)
	for dec.More() {
		name, err := dec.Token()
		var value json.RawMessage
		if err == nil {
			err = dec.Decode(&value)
		}
		if err != nil {
			return nil, fmt.Errorf("line %.40q is no JSON object: %w", line, err)
		}
		field := name.(string) // or Token had failed
		if _, twice := fields[field]; twice {
			return nil, fmt.Errorf("field %.40q comes twice: a name may come once", field)
		}
		if value[0] == '{' || value[0] == '[' { // Decode has skipped the space before it
			return nil, fmt.Errorf("field %.40q is %.40s: a string, a number, true, false or null is allowed", field, value)
		}
		fields[field] = payload.Text(value)
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("line %.40q is no JSON object: it has no end", line)
	}
	if rest := strings.TrimSpace(line[dec.InputOffset():]); rest != "" {
		return nil, fmt.Errorf("after the JSON object comes %.40q: one object a line is allowed", rest)
	}
	return fields, nil
}

// CSV yields the rows of a table as RFC 4180 has it, whose first row names the
// columns, which are the fields. The argument is the row. name is what errors
// call r. A row, of which a quoted value may go over several lines, has at most
// queue.MaxPayloadBytes.
func CSV(r io.Reader, name string) Source {
	return func(yield func(Record, error) bool) {
		t, err := ReadTable(r, name)
		if err != nil {
			yield(Record{Pos: Position{Name: name}}, err)
			return
		}
		t.Rows(yield)
	}
}

// Table is a CSV of which the first row has been read.
type Table struct {
	Columns []string // the names in the first row
	rows    *rows
}

// ReadTable reads the first row of what CSV reads, for those who must know the
// columns before the first record.
func ReadTable(r io.Reader, name string) (*Table, error) {
	t := &Table{rows: newRows(r, name)}
	header, pos, err := t.rows.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: the table is empty: a first row that names the columns is needed", name)
	case err != nil:
		return nil, err
	}
	t.Columns = header
	if err := checkHeader(header); err != nil {
		return nil, fmt.Errorf("%s: %w", pos, err)
	}
	return t, nil
}

// Rows is a Source of the rows that follow, for once.
func (t *Table) Rows(yield func(Record, error) bool) {
	for {
		row, pos, err := t.rows.next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil && len(row) != len(t.Columns) {
			err = fmt.Errorf("%s: row has %s: the header has %d (%.200s)", pos, count(int64(len(row)), "column"), len(t.Columns), strings.Join(t.Columns, ", "))
		}
		if err != nil {
			yield(Record{Pos: pos}, err)
			return
		}
		fields := make(map[string]string, len(row))
		for i, column := range t.Columns {
			fields[column] = row[i]
		}
		if !yield(Record{Arg: line(row), Fields: fields, Pos: pos}, nil) {
			return
		}
	}
}

func checkHeader(header []string) error {
	seen := make(map[string]bool, len(header))
	for i, column := range header {
		switch {
		case strings.TrimSpace(column) == "":
			return fmt.Errorf("column %d of the header has no name", i+1)
		case seen[column]:
			return fmt.Errorf("column %.40q comes twice in the header: a name may come once", column)
		}
		seen[column] = true
	}
	return nil
}

// line is a row as a line of CSV.
func line(row []string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(row) // a Builder takes everything
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// rows reads the rows of a CSV.
type rows struct {
	name string
	in   *rationed
	csv  *csv.Reader
	last int // line where the last row began
}

func newRows(r io.Reader, name string) *rows {
	b := bufio.NewReader(r)
	if mark, _ := b.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = b.Discard(len(byteOrderMark)) // it is in the buffer
	}
	t := &rows{name: name, in: &rationed{r: b}}
	t.csv = csv.NewReader(t.in)
	t.csv.FieldsPerRecord = -1 // counted here, to say more
	return t
}

// byteOrderMark is what spreadsheets write before UTF-8.
const byteOrderMark = "\uFEFF"

var errLongRow = fmt.Errorf("row is too long: at most %d bytes (1 MiB) are allowed; a quote may be open", queue.MaxPayloadBytes)

// next is the next row and where it stands. At the end the error is io.EOF.
func (t *rows) next() ([]string, Position, error) {
	t.in.left = queue.MaxPayloadBytes + readAhead
	row, err := t.csv.Read()
	pos := Position{Name: t.name}
	bad, malformed := errors.AsType[*csv.ParseError](err)
	switch {
	case err == nil:
		t.last, _ = t.csv.FieldPos(0)
		pos.Line = int64(t.last)
		return row, pos, nil
	case errors.Is(err, io.EOF):
		return nil, pos, io.EOF
	case malformed:
		pos.Line = int64(bad.Line)
		return nil, pos, fmt.Errorf("%s: column %d of the row that begins in line %d: %w", pos, bad.Column, bad.StartLine, bad.Err)
	}
	return nil, pos, fmt.Errorf("%s: after the row in line %d: %w", pos, t.last, err)
}

// readAhead is more than a csv.Reader reads of the rows that come.
const readAhead = 8 << 10

// rationed is a reader that fails when more is read than was allowed, since a
// csv.Reader would take a whole input for one value.
type rationed struct {
	r    io.Reader
	left int
}

func (r *rationed) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errLongRow
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}
