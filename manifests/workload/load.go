package workload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// File is what some files hold, in their order.
type File struct {
	Documents []*Document
}

// Load reads files of YAML or JSON documents; - is stdin. They are one set: a
// WorkQueue may follow one of another file. With errors the File has what
// could be read, and nothing of it should be used for more than a report.
func Load(stdin io.Reader, files ...string) (*File, Errors) {
	f := &File{}
	docs, faults := make([][]*Document, len(files)), make([]Errors, len(files))
	for i, name := range files {
		text, err := read(stdin, name)
		if err != nil {
			faults[i] = Errors{{Position: Position{File: name}, Message: err.Error()}}
			continue
		}
		docs[i], faults[i] = parse(name, text)
		f.Documents = append(f.Documents, docs[i]...)
	}
	f.check()
	var all Errors
	for i := range files {
		for _, d := range docs[i] {
			faults[i] = append(faults[i], d.errs...)
		}
		all = append(all, faults[i].sorted()...)
	}
	return f, all
}

// maxFile is more than a cluster takes, and less than memory.
const maxFile = 16 << 20

func read(stdin io.Reader, name string) ([]byte, error) {
	r := stdin
	if name != "-" {
		file, err := os.Open(name)
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			return nil, e.Err
		}
		if err != nil {
			return nil, err
		}
		defer file.Close()
		r = file
	}
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("too large: up to %d MiB are allowed", maxFile>>20)
	}
	if err == nil && !utf8.Valid(text) {
		err = errors.New("not UTF-8")
	}
	return text, err
}

// separator begins a document; YAML has no line of this kind inside of one.
var separator = regexp.MustCompile(`(?m)^---(?:[ \t].*)?\r?$`)

// prologue is what may stand before the first separator without being a
// document: directives and comments.
var prologue = regexp.MustCompile(`^(?:[ \t]*(?:[%#].*)?\r?\n)*$`)

// parse splits before it parses: a document whose YAML is broken hides the
// faults of no other.
func parse(name string, text []byte) (docs []*Document, errs Errors) {
	starts := []int{0}
	for _, m := range separator.FindAllIndex(text, -1) {
		starts = append(starts, m[0])
	}
	for i, from := range starts {
		if i == 0 && len(starts) > 1 && prologue.Match(text[:starts[1]]) {
			continue
		}
		to := len(text)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		line := bytes.Count(text[:from], []byte("\n"))
		d, e := parsePart(name, line, text[from:to])
		docs, errs = append(docs, d...), append(errs, e...)
	}
	if len(docs) == 0 && len(errs) == 0 {
		errs = Errors{{Position: Position{File: name}, Message: "no document: " + anyOf(kindNames) + " is needed"}}
	}
	return docs, errs
}

// parsePart parses what begins after some lines: a document as a rule, or
// nothing but comments, or several that "..." ends.
func parsePart(name string, line int, text []byte) (docs []*Document, errs Errors) {
	dec := yaml.NewDecoder(bytes.NewReader(untab(text)))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs, errs
		}
		if err != nil {
			return docs, append(errs, syntaxError(name, line, err))
		}
		if n.Kind != yaml.DocumentNode || len(n.Content) == 0 || n.Content[0].ShortTag() == "!!null" {
			continue
		}
		root := n.Content[0]
		move(root, line)
		docs = append(docs, decodeDocument(name, root))
	}
}

// untab indents JSON with spaces: YAML takes no tabs there.
func untab(text []byte) []byte {
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
		return text
	}
	out := bytes.Clone(text)
	indent := true
	for i, c := range out {
		switch {
		case c == '\n':
			indent = true
		case c == '\t' && indent:
			out[i] = ' '
		case c != ' ':
			indent = false
		}
	}
	return out
}

// move puts a part's node where it stands in its file.
func move(n *yaml.Node, lines int) {
	n.Line += lines
	for _, c := range n.Content {
		move(c, lines)
	}
}

var (
	inLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	// The parser's own complaints, other than its scanner's, count lines from 0.
	fromZero = regexp.MustCompile(`did not find expected (?:<|node content|key|',' or|'-' indicator)`)
	// Of these it says where the block begins, not where it breaks.
	inBlock = regexp.MustCompile(`did not find expected (?:key|'-' indicator)$`)
)

func syntaxError(name string, line int, err error) *Error {
	at := Position{File: name, Line: line + 1}
	m := inLine.FindStringSubmatch(err.Error())
	if m != nil && m[1] != "" {
		n, _ := strconv.Atoi(m[1])
		at.Line = line + n
		if fromZero.MatchString(err.Error()) {
			at.Line++
		}
	}
	message := "not YAML: " + inLine.ReplaceAllString(err.Error(), "")
	if inBlock.MatchString(message) {
		message += " in the block that begins here: its lines are indented differently"
	}
	return &Error{Position: at, Message: message}
}

// decodeDocument decodes what is a mapping at the top.
func decodeDocument(file string, root *yaml.Node) *Document {
	d := newDocument(Position{file, root.Line, root.Column})
	dec := &decoder{Document: d, open: make(map[*yaml.Node]bool)}
	if !dec.is(root, yaml.MappingNode, "an object with apiVersion and kind", "") {
		return d
	}
	var apiVersion string
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i].Value, root.Content[i+1]
		if value.Kind != yaml.ScalarNode || value.ShortTag() == "!!null" {
			continue
		}
		switch key {
		case "kind":
			d.Kind = value.Value
			d.places[key] = d.at(value)
		case "apiVersion":
			apiVersion = value.Value
			d.places[key] = d.at(value)
		}
	}
	k, ok := kinds[d.Kind]
	switch {
	case d.Kind == "":
		d.refuse("kind", "required: %s is allowed", anyOf(kindNames))
	case !ok:
		d.refuse("kind", "%s", unknownKind(d.Kind))
	case apiVersion == "":
		d.refuse("apiVersion", "required: a %s is %q", d.Kind, k.apiVersion)
	case apiVersion != k.apiVersion:
		d.refuse("apiVersion", "%s", wrongVersion(d.Kind, apiVersion))
	}
	if !ok {
		return d
	}
	object := reflect.New(k.object)
	text, err := json.Marshal(dec.value(root, k.object, ""))
	if err == nil {
		err = json.Unmarshal(text, object.Interface())
	}
	if err != nil { // the decoder knows every type there is: this is its net
		d.refuseAt(d.Position, "", strings.TrimPrefix(err.Error(), "json: "))
	}
	d.Object = object.Interface()
	return d
}
