package producer

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"sluice.dev/queue"
)

type fields = map[string]string

func records(src Source) (all []Record, err error) {
	for r, err := range src {
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, nil
}

func TestJSONLines(t *testing.T) {
	in := `{"shot":"a 1","frames":24,"on":true,"none":null}` + "\n\n{}\r\n" + `{"shot":"\u00e9\n"}`
	got, err := records(JSONLines(strings.NewReader(in), "in"))
	want := []Record{
		{Arg: strings.SplitN(in, "\n", 2)[0], Pos: Position{"in", 1}, Fields: fields{
			"shot": "a 1", "frames": "24", "on": "true", "none": "null",
		}},
		{Arg: "{}", Pos: Position{"in", 3}, Fields: fields{}},
		{Arg: `{"shot":"\u00e9\n"}`, Pos: Position{"in", 4}, Fields: fields{"shot": "é\n"}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestJSONLinesRefuse(t *testing.T) {
	for in, want := range map[string]string{
		"x":                   `in:2: line "x" is no JSON object: one a line is allowed`,
		"[1]":                 `in:2: line "[1]" is no JSON object`,
		"7":                   `in:2: line "7" is no JSON object`,
		" ":                   `in:2: line " " is no JSON object`,
		`{"a":1`:              `in:2: line "{\"a\":1" is no JSON object: it has no end`,
		`{"a":}`:              `in:2: line "{\"a\":}" is no JSON object: `,
		`{"a" 1}`:             `in:2: line "{\"a\" 1}" is no JSON object: `,
		`{a:1}`:               `in:2: line "{a:1}" is no JSON object: `,
		`{"a":1,"b": [2]}`:    `in:2: field "b" is [2]: a string, a number, true, false or null is allowed`,
		`{"b":{"a":1}}`:       `in:2: field "b" is {"a":1}: `,
		`{"a":1} {"a":2}`:     `in:2: after the JSON object comes "{\"a\":2}"`,
		`{"a":1},`:            `in:2: after the JSON object comes ","`,
		`{"a":1,"b":2,"a":1}`: `in:2: field "a" comes twice`,
		"{\"a\":\"\xff\"}":    "in:2: line is not UTF-8",
		strings.Repeat("x", queue.MaxPayloadBytes+1): "in:2: line is too long",
	} {
		got, err := records(JSONLines(strings.NewReader("{}\n"+in+"\n{}"), "in"))
		if err == nil || !strings.HasPrefix(err.Error(), want) || len(got) != 1 {
			t.Errorf("%.40q: %d records, %v; want one and %q", in, len(got), err, want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: error %q has several lines", in, err)
		}
	}
}

func TestCSV(t *testing.T) {
	in := "\uFEFFshot,frames,note\r\na,24,\"x, y\"\n\nb,,\"two\nlines and \"\"quotes\"\"\"\nc,1,z"
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(in), "a byte a read": iotest.OneByteReader(strings.NewReader(in))} {
		got, err := records(CSV(r, "in.csv"))
		want := []Record{
			{Arg: `a,24,"x, y"`, Pos: Position{"in.csv", 2}, Fields: fields{"shot": "a", "frames": "24", "note": "x, y"}},
			{Arg: "b,,\"two\nlines and \"\"quotes\"\"\"", Pos: Position{"in.csv", 4}, Fields: fields{"shot": "b", "frames": "", "note": "two\nlines and \"quotes\""}},
			{Arg: "c,1,z", Pos: Position{"in.csv", 6}, Fields: fields{"shot": "c", "frames": "1", "note": "z"}},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestCSVOfAHeaderAlone(t *testing.T) {
	if got, err := records(CSV(strings.NewReader("a,b\n"), "in.csv")); err != nil || len(got) != 0 {
		t.Errorf("%v, %v; want no records", got, err)
	}
}

func TestCSVRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "in.csv: the table is empty",
		"a,,c\n":              "in.csv:1: column 2 of the header has no name",
		"a,b,a\n":             `in.csv:1: column "a" comes twice in the header`,
		"a,b\n1,2\n1\n":       "in.csv:3: row has 1 column: the header has 2 (a, b)",
		"a,b\n1,2\n\n1,2,3\n": "in.csv:4: row has 3 columns: the header has 2 (a, b)",
		"a,b\n1,2\n1,x\"y\n":  "in.csv:3: column 4 of the row that begins in line 3: bare",
		"a,b\n1,\"2\n3\n":     "in.csv:",
		"a\n\"" + strings.Repeat("x\n", queue.MaxPayloadBytes): "in.csv: after the row in line 1: row is too long",
	} {
		_, err := records(CSV(strings.NewReader(in), "in.csv"))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: %v, want %q in one line", in, err, want)
		}
	}
}

func TestCSVTakesRowsOfEverySize(t *testing.T) {
	long := strings.Repeat("x", queue.MaxPayloadBytes)
	got, err := records(CSV(strings.NewReader("a\n"+long+"\nb\n"+long+"\n"), "in.csv"))
	if err != nil || len(got) != 3 || got[0].Arg != long || got[1].Arg != "b" || got[2].Fields["a"] != long {
		t.Errorf("%d records, %v; want all three", len(got), err)
	}
}

func TestTablesEndAtAFault(t *testing.T) {
	oops := errors.New("oops")
	for name, read := range map[string]func(io.Reader, string) Source{"JSONLines": JSONLines, "CSV": CSV} {
		in := "{}\n{}\n"
		if name == "CSV" {
			in = "a\n1\n2\n"
		}
		got, err := records(read(io.MultiReader(strings.NewReader(in), iotest.ErrReader(oops)), "in"))
		if !errors.Is(err, oops) || len(got) != 2 || !strings.HasPrefix(err.Error(), "in:") {
			t.Errorf("%s: %d records, %v; want two and the reader's error", name, len(got), err)
		}
		for range read(strings.NewReader(in), "in") {
			break // what does not stop then panics
		}
	}
}

func TestAnOpenedTableIsReadAgain(t *testing.T) {
	path := t.TempDir() + "/in.csv"
	if err := os.WriteFile(path, []byte("a\n1\n2\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	src := Open(path, CSV)
	for range 2 {
		if got, err := records(src); err != nil || len(got) != 2 || got[1].Pos.String() != path+":3" {
			t.Errorf("%v, %v; want two rows each time", got, err)
		}
	}
	if _, err := records(Open(path+"x", JSONLines)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestSweep(t *testing.T) {
	got, err := records(Sweep(Axis{"rate", []string{"0.1", "0.01"}}, Axis{"seed", []string{"1", "2", "3"}}))
	if err != nil || len(got) != 6 {
		t.Fatalf("%d records, %v; want 6", len(got), err)
	}
	want := Record{Arg: "rate=0.01 seed=2", Fields: fields{"rate": "0.01", "seed": "2"}, Pos: Position{Name: "combination 5"}}
	if diff := cmp.Diff(want, got[4]); diff != "" {
		t.Errorf("the fifth (-want +got):\n%s", diff)
	}
	args, _ := collect(Sweep(Axis{"a", []string{"x", "y"}}, Axis{"b", []string{"1", "2"}}))
	if got := strings.Join(args, ", "); got != "a=x b=1, a=x b=2, a=y b=1, a=y b=2" {
		t.Errorf("combinations %s", got)
	}
}

func TestSweepRefuses(t *testing.T) {
	many := make([]string, 1001)
	a := Axis{"a", []string{"1"}}
	for want, axes := range map[string][]Axis{
		"sweep: it has no parameter":              nil,
		"sweep: parameter 2 has no name":          {a, {"", []string{"1"}}},
		`sweep: parameter "a" comes twice`:        {a, a},
		`sweep: parameter "b" has no values`:      {a, {"b", nil}},
		`sweep: parameter "d" makes more than 10`: {{"b", many}, {"c", many}, {"d", many}},
	} {
		if got, err := collect(Sweep(axes...)); err == nil || !strings.HasPrefix(err.Error(), want) || len(got) > 0 {
			t.Errorf("%d records, %v; want none and %q", len(got), err, want)
		}
	}
}
