// Package payload is what the command line writes into an item and reads out
// of it again: the argument of a command, where it came from, and the identity
// of the file that it names.
package payload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Payload is the work of one item for a command.
type Payload struct {
	Arg    string            // {}: a line, a path; any bytes but NUL
	N      int64             // {#}: counts from 1 in the order of the input; 0 if unknown
	Fields map[string]string // {name}: of a JSON object or a table's row
	Input  *Input            // the file that Arg or a field names; nil if none
	Output string            // the final path that {out} becomes; "" if none

	// Previous is what stands there and may be replaced, since a record
	// proves where it comes from: a JSON list of publish.File. nil if nothing.
	Previous json.RawMessage
}

// Input is the identity of an input file. The same path with another size,
// modification time or inode is another input.
type Input struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	ModTime int64  `json:"mtime"` // nanoseconds since 1970
	Inode   uint64 `json:"inode"`
	SHA256  string `json:"sha256,omitempty"` // in hex, when the content is the identity
}

// wire is the form in which a payload is kept: one JSON object that a person
// can read. Bytes that are not UTF-8 go as base64.
type wire struct {
	V      int               `json:"sluice"` // the form's version; marks the object as ours
	Arg    string            `json:"arg,omitempty"`
	Arg64  []byte            `json:"arg64,omitempty"`
	N      int64             `json:"n,omitempty"`
	Fields map[string]string `json:"fields,omitempty"`
	Input  *Input            `json:"input,omitempty"`
	Path64 []byte            `json:"inputPath64,omitempty"`
	Output string            `json:"output,omitempty"`
	Out64  []byte            `json:"output64,omitempty"`

	Previous json.RawMessage `json:"previous,omitempty"`
}

const version = 1

// Encode is the payload's kept form.
func (p Payload) Encode() ([]byte, error) {
	w := wire{V: version, N: p.N, Fields: p.Fields, Input: p.Input, Previous: p.Previous}
	w.Arg, w.Arg64 = text(p.Arg)
	w.Output, w.Out64 = text(p.Output)
	if in := p.Input; in != nil && !utf8.ValidString(in.Path) {
		kept := *in
		kept.Path, w.Path64 = text(in.Path)
		w.Input = &kept
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(w); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// text is a string as JSON can hold it: in one of two forms.
func text(s string) (string, []byte) {
	if utf8.ValidString(s) {
		return s, nil
	}
	return "", []byte(s)
}

// Decode reads a payload. Bytes that another producer wrote are its Arg as
// they stand, and when they are a JSON object its members are Fields too:
// strings as they are, other values as JSON.
func Decode(b []byte) (Payload, error) {
	if len(b) == 0 || b[0] != '{' {
		return Payload{Arg: string(b)}, nil
	}
	var w wire
	if err := json.Unmarshal(b, &w); err == nil && w.V != 0 {
		if w.V != version {
			return Payload{}, fmt.Errorf("payload: form %d is newer than this program, which reads %d", w.V, version)
		}
		p := Payload{Arg: w.Arg, N: w.N, Fields: w.Fields, Input: w.Input, Output: w.Output, Previous: w.Previous}
		if w.Arg64 != nil {
			p.Arg = string(w.Arg64)
		}
		if w.Out64 != nil {
			p.Output = string(w.Out64)
		}
		if p.Input != nil && w.Path64 != nil {
			p.Input.Path = string(w.Path64)
		}
		return p, nil
	}
	p := Payload{Arg: string(b)}
	p.Fields = members(b)
	return p, nil
}

// members is the members of a JSON object as fields, nil if b is none.
func members(b []byte) map[string]string {
	var values map[string]json.RawMessage
	if json.Unmarshal(b, &values) != nil {
		return nil
	}
	fields := make(map[string]string, len(values))
	for name, value := range values {
		fields[name] = Text(value)
	}
	return fields
}

// Text is a JSON value as a field: a string as it is, another value as JSON.
func Text(value json.RawMessage) string {
	var s string
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return string(value)
	}
	return s
}
