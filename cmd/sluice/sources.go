package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"sluice.dev/producer"
	"sluice.dev/worker/template"
)

// sourceFlags say where the items come from, in run and in enqueue. At most one
// source is given; without any it is standard input.
type sourceFlags struct {
	items    string
	glob     string
	jsonl    string
	csv      string
	frames   string
	axes     []producer.Axis
	words    []string // of the command line, after :::
	listed   bool     // ::: was there
	null     bool
	chunk    int
	pad      int
	input    string // the field that names an input file
	identity string
}

func (f *sourceFlags) register(fs *pflag.FlagSet) {
	f.identity = "stat"
	fs.Var(textValue{&f.items, "a file, or - for standard input"}, "items", "`FILE` with an item a line; - is standard input, which is the default")
	fs.BoolVarP(&f.null, "null", "0", false, "items end in NUL instead of newline, as find -print0 writes them")
	fs.Var(textValue{&f.glob, "a pattern such as in/**/*.wav"}, "glob", "`PATTERN` of the files that are the items; ** stands for any folders")
	fs.Var(textValue{&f.jsonl, "a file, or - for standard input"}, "jsonl", "`FILE` with a JSON object a line, whose members are {name} in the command and in --output; - is standard input")
	fs.Var(textValue{&f.csv, "a file, or - for standard input"}, "csv", "`FILE` with a table, whose first row names the columns, which are {name}; - is standard input")
	fs.Var(textValue{&f.frames, "a list of frames and ranges such as 1-240x2,300"}, "frames", "`FRAMES` such as 1-240x2,300-310; they are {frame}, {start}, {end} and {step}")
	fs.Var(intValue{&f.chunk, 1, producer.MaxFrames}, "chunk", "with --frames: how many frames of a range an item has, {start} to {end} (default 1)")
	fs.Var(intValue{&f.pad, 1, producer.MaxPad}, "pad", "with --frames: how many digits a number has at least, filled up with zeros")
	fs.Var(axesValue{&f.axes}, "arg", "`NAME=VALUE,...` that {NAME} takes; given more than once, all combinations are the items")
	fs.Var(textValue{&f.input, "the name of a field"}, "input", "`NAME` of the field that names an item's input file")
	fs.Var(choiceValue{&f.identity, []string{"stat", "content"}}, "identity", "what makes an input file the same: path, size, time and inode, or path and content")
}

// input is what the flags of a source come to.
type input struct {
	producer.Source
	again  bool // it can be read again, and so be checked before anything starts
	sound  bool // no record of it is bad in itself
	fields fields
}

// fields are the names that {name} may have.
type fields struct {
	Names []string
	Any   bool // each record has its own
}

func (f fields) options() template.Options {
	return template.Options{Fields: f.Names, AnyField: f.Any}
}

// toCheck tells whether all records should be looked at before anything starts.
func (in input) toCheck(output string) bool {
	return in.again && (!in.sound || output != "")
}

// open finds the source that is given. Of a table it reads the header.
func (f *sourceFlags) open() (in input, err error) {
	if err := f.check(); err != nil {
		return in, err
	}
	switch {
	case f.listed:
		in = input{Source: producer.Args(f.words), again: true}
	case f.glob != "":
		in = input{Source: producer.Glob(f.glob), again: true}
	case f.frames != "":
		if in, err = generated(producer.Frames(f.frames, producer.FrameOptions{Chunk: f.chunk, Pad: f.pad})); err != nil {
			return in, fmt.Errorf("--%w", err) // it begins with: frames "1-240x2":
		}
		in.fields.Names = producer.FrameFields()
	case len(f.axes) > 0:
		if in, err = generated(producer.Sweep(f.axes...)); err != nil {
			return in, plainly("--arg", "sweep: ", err)
		}
		for _, a := range f.axes {
			in.fields.Names = append(in.fields.Names, a.Name)
		}
	case f.jsonl != "":
		in, err = file("--jsonl", f.jsonl, producer.JSONLines)
		in.fields.Any = true
	case f.csv != "":
		in, err = table(f.csv)
	case f.items == "" && term.IsTerminal(int(os.Stdin.Fd())):
		err = errors.New("no items: say where they come from, as --items FILE, --glob PATTERN or --frames 1-240 do, or pipe lines into standard input")
	default:
		in, err = file("--items", f.items, func(r io.Reader, name string) producer.Source {
			return producer.Lines(r, name, producer.LineOptions{Null: f.null})
		})
	}
	if err == nil && f.input != "" && !in.fields.Any && !slices.Contains(in.fields.Names, f.input) {
		err = fmt.Errorf("--input %q: the items have no such field: %s", f.input, theyHave(in.fields.Names))
	}
	return in, err
}

// check refuses two sources, and what belongs to another one.
func (f *sourceFlags) check() error {
	var given []string
	for _, s := range []struct {
		flag string
		is   bool
	}{
		{":::", f.listed}, {"--items", f.items != ""}, {"--glob", f.glob != ""}, {"--jsonl", f.jsonl != ""},
		{"--csv", f.csv != ""}, {"--frames", f.frames != ""}, {"--arg", len(f.axes) > 0},
	} {
		if s.is {
			given = append(given, s.flag)
		}
	}
	if len(given) > 1 {
		return fmt.Errorf("%s: the items come from one of them alone", strings.Join(given, " and "))
	}
	source := "standard input"
	if len(given) == 1 {
		source = given[0]
	}
	for _, o := range []struct {
		flag string
		is   bool
		of   []string
	}{
		{"--null", f.null, []string{"--items", "standard input"}},
		{"--chunk", f.chunk > 0, []string{"--frames"}},
		{"--pad", f.pad > 0, []string{"--frames"}},
		{"--input", f.input != "", []string{"--jsonl", "--csv", "--arg"}},
	} {
		if o.is && !slices.Contains(o.of, source) {
			return fmt.Errorf("%s and %s: %s is allowed with %s", o.flag, source, o.flag, strings.Join(o.of, ", "))
		}
	}
	return nil
}

// generated is a source whose records are made of what the flags say, so that
// the first tells whether any is wrong.
func generated(src producer.Source) (in input, err error) {
	for _, err = range src {
		break
	}
	return input{Source: src, again: true, sound: true}, err
}

// file is what read finds in a file, standard input or a named pipe.
func file(flag, path string, read func(r io.Reader, name string) producer.Source) (input, error) {
	r, name, err := stream(flag, path)
	switch {
	case err != nil:
		return input{}, err
	case r != nil:
		return input{Source: read(r, name)}, nil
	}
	return input{Source: producer.Open(path, read), again: true}, nil
}

// table is the rows of a CSV.
func table(path string) (input, error) {
	r, name, err := stream("--csv", path)
	if err != nil {
		return input{}, err
	}
	in := input{Source: producer.Open(path, producer.CSV), again: r == nil}
	if in.again {
		f, err := os.Open(path)
		if err != nil {
			return input{}, fileError("--csv", err)
		}
		defer f.Close()
		r = f
	}
	t, err := producer.ReadTable(r, name)
	if err != nil {
		return input{}, err
	}
	if !in.again {
		in.Source = t.Rows
	}
	in.fields.Names = t.Columns
	return in, nil
}

// stream is the reader of what can be read once alone, and what errors call it.
// It is nil for a regular file, and otherwise open until the process ends.
func stream(flag, path string) (io.Reader, string, error) {
	if path == "" || path == "-" {
		return os.Stdin, "standard input", nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", fileError(flag, err)
	}
	switch {
	case info.IsDir():
		return nil, "", fmt.Errorf("%s %q: is a folder: a file, or - for standard input, is allowed", flag, path)
	case info.Mode().IsRegular():
		return nil, path, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fileError(flag, err)
	}
	return f, path, nil
}

func fileError(flag string, err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return usagef("%s %q: %w", flag, e.Path, e.Err)
	}
	return usagef("%s: %w", flag, err)
}

func theyHave(names []string) string {
	if len(names) == 0 {
		return "they have none"
	}
	return "they have " + strings.Join(names, ", ")
}

// textValue is any text but none: an empty one is a variable of a script that
// was not set, most likely.
type textValue struct {
	p       *string
	allowed string
}

func (v textValue) String() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}
func (textValue) Type() string { return "string" }
func (v textValue) Set(s string) error {
	if s == "" {
		return fmt.Errorf("%s is allowed", v.allowed)
	}
	*v.p = s
	return nil
}

// axesValue is the parameters of a sweep, one a call.
type axesValue struct{ p *[]producer.Axis }

func (axesValue) String() string { return "" }
func (axesValue) Type() string   { return "string" }
func (v axesValue) Set(s string) error {
	name, list, _ := strings.Cut(s, "=")
	values := strings.Split(list, ",")
	switch {
	case !template.IsField(name):
		return fmt.Errorf("NAME=VALUE,... is allowed, where NAME is letters, digits, _ and -, begins with a letter or _, and is neither out nor outdir")
	case slices.Contains(values, ""):
		return errors.New("a value is empty: NAME=VALUE,... is allowed; values with a comma, or empty ones, take --csv or --jsonl")
	case !utf8.ValidString(list):
		return errors.New("values are UTF-8")
	case slices.ContainsFunc(*v.p, func(a producer.Axis) bool { return a.Name == name }):
		return fmt.Errorf("%s comes twice: all its values stand in one, as in %s=a,b", name, name)
	}
	*v.p = append(*v.p, producer.Axis{Name: name, Values: values})
	return nil
}
