package printer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/yaml"
)

// pathPrefix begins the format that picks values out of the document.
const pathPrefix = "jsonpath="

// ParseFormat reads a format: one of Formats, or jsonpath= and a template as
// kubectl has it.
func ParseFormat(s string) (Format, error) {
	if text, ok := strings.CutPrefix(s, pathPrefix); ok {
		if _, err := parsePath(text); err != nil {
			return "", err
		}
		return Format(s), nil
	}
	if slices.Contains(Formats, s) {
		return Format(s), nil
	}
	return "", fmt.Errorf("%s or %sTEMPLATE is allowed", strings.Join(Formats, ", "), pathPrefix)
}

// PathError is a template that does not fit what is there.
type PathError struct {
	err  error
	list bool // what is there is a list
}

func (e *PathError) Error() string {
	if e.list {
		return fmt.Sprintf("jsonpath: %v: these are a list: a template such as {[*].name} is allowed", e.err)
	}
	return fmt.Sprintf("jsonpath: %v", e.err)
}

func (e *PathError) Unwrap() error { return e.err }

func parsePath(text string) (*jsonpath.JSONPath, error) {
	if text == "" {
		return nil, fmt.Errorf("the template is empty: one such as jsonpath='{[*].name}' is allowed")
	}
	if !strings.Contains(text, "{") { // kubectl's relaxed form
		text = "{" + strings.TrimSuffix("."+strings.TrimPrefix(text, "."), ".") + "}"
	}
	j := jsonpath.New("output")
	if err := j.Parse(text); err != nil {
		return nil, fmt.Errorf("the template is not understood: %w", err)
	}
	return j, nil
}

// whole tells whether a format shows values, not cells.
func (f Format) whole() bool {
	return f == JSONFormat || f == YAMLFormat || strings.HasPrefix(string(f), pathPrefix)
}

// render is a value in one of the formats that show it whole.
func (f Format) render(v any) ([]byte, error) {
	doc, err := encode(v)
	if err != nil {
		return nil, err
	}
	switch {
	case f == YAMLFormat:
		return yaml.JSONToYAML(doc)
	case f == JSONFormat:
		return doc, nil
	}
	j, err := parsePath(strings.TrimPrefix(string(f), pathPrefix))
	if err != nil {
		return nil, err
	}
	// Paths go by the names of the document, not by those of Go's fields.
	var plain any
	if err := json.Unmarshal(doc, &plain); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := j.Execute(&b, plain); err != nil {
		_, list := plain.([]any)
		return nil, &PathError{err, list}
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
