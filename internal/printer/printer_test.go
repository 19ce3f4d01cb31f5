package printer_test

import (
	"strings"
	"testing"

	"sluice.dev/internal/printer"
)

var rows = []printer.Row{
	{Name: "item/a", Cells: []string{"a", "dead", "x\x1b[2J\ny"}, Value: map[string]any{"id": "a", "count": 1}},
	{Name: "item/longer", Cells: []string{"longer", "ready", ""}, Value: map[string]any{
		"id": "1e5", "list": []any{map[string]any{"k": "yes", "m": []any{}}, "plain"}, "text": "two\nlines: \"x\" <&>", "none": nil,
	}},
}

func printed(t *testing.T, f printer.Format, single bool, list []printer.Row) string {
	t.Helper()
	var b strings.Builder
	p := printer.Printer{W: &b, Format: f, Columns: []string{"ID", "STATE", "+REASON"}, Single: single}
	if err := p.Print(list); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFormats(t *testing.T) {
	for name, test := range map[string]struct {
		format printer.Format
		single bool
		rows   []printer.Row
		want   string
	}{
		"table":         {printer.TableFormat, false, rows, "ID       STATE\na        dead\nlonger   ready\n"},
		"wide":          {printer.WideFormat, false, rows, "ID       STATE   REASON\na        dead    x\\x1b[2J\\ny\nlonger   ready\n"},
		"name":          {printer.NameFormat, false, rows, "item/a\nitem/longer\n"},
		"empty table":   {printer.TableFormat, false, nil, ""},
		"JSON":          {printer.JSONFormat, false, rows[:1], "[\n  {\n    \"count\": 1,\n    \"id\": \"a\"\n  }\n]\n"},
		"one as JSON":   {printer.JSONFormat, true, rows[:1], "{\n  \"count\": 1,\n  \"id\": \"a\"\n}\n"},
		"empty as JSON": {printer.JSONFormat, false, nil, "[]\n"},
		"empty as YAML": {printer.YAMLFormat, false, nil, "[]\n"},
		"YAML": {printer.YAMLFormat, false, rows, `- count: 1
  id: a
- id: "1e5"
  list:
  - k: "yes"
    m: []
  - plain
  none: null
  text: |-
    two
    lines: "x" <&>
`},
		"a path":            {"jsonpath={[*].id}", false, rows, "a 1e5\n"},
		"a path in one":     {"jsonpath=.id", true, rows, "a\n"},
		"a path with words": {"jsonpath={range [*]}{.id}{\"\\n\"}{end}", false, rows, "a\n1e5\n\n"},
		"one as YAML":       {printer.YAMLFormat, true, rows, "count: 1\nid: a\n"},
	} {
		if got := printed(t, test.format, test.single, test.rows); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, test.want)
		}
	}
}

func TestLaterRowsStandUnderTheHead(t *testing.T) {
	var b strings.Builder
	p := printer.Printer{W: &b, Format: printer.TableFormat, Columns: []string{"ID", "STATE", "+REASON"}}
	for _, put := range []func([]printer.Row) error{p.Print, p.More} {
		if err := put(rows[1:]); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.More(rows[:1]); err != nil {
		t.Fatal(err)
	}
	want := "ID       STATE\nlonger   ready\nlonger   ready\na        dead\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestParseFormatRefuses(t *testing.T) {
	for _, s := range []string{"", "xml", "jsonpath=", "jsonpath={.a"} {
		if f, err := printer.ParseFormat(s); err == nil {
			t.Errorf("ParseFormat(%q) = %q, want an error", s, f)
		}
	}
}
