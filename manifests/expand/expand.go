// Package expand makes many manifests of one template: the "expansions" of
// Kubernetes' documentation, with values put into the YAML's text nodes, so
// that none of them can change the document's structure.
package expand

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is what a name stands for in one copy.
type Value struct{ Name, Value string }

// Template is a file of YAML documents with placeholders: {NAME}, or the
// documentation's $NAME and ${NAME}, where the name is in upper case.
type Template struct {
	docs []*yaml.Node
}

// Parse reads a template. JSON is YAML.
func Parse(text []byte) (*Template, error) {
	t := &Template{}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			if len(t.docs) == 0 {
				return nil, errors.New("no document")
			}
			return t, nil
		}
		if err != nil {
			return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if len(n.Content) > 0 && n.Content[0].ShortTag() != "!!null" {
			t.docs = append(t.docs, &n)
		}
	}
}

// Unused is those of names that no placeholder of the template has.
func (t *Template) Unused(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(t.docs, func(n *yaml.Node) bool { return has(n, name) })
	})
}

// Copy is the template's documents with values in the places of their names,
// each after a line "---".
func (t *Template) Copy(values []Value) ([]byte, error) {
	var pairs []string
	for _, v := range values {
		for _, p := range placeholders(v.Name) {
			pairs = append(pairs, p, v.Value)
		}
	}
	// One pass, so that a value which looks like a placeholder stays as it is.
	r := strings.NewReplacer(longestFirst(pairs)...)
	var out bytes.Buffer
	for _, n := range t.docs {
		out.WriteString("---\n")
		enc := yaml.NewEncoder(&out)
		enc.SetIndent(2)
		if err := enc.Encode(filled(n, r)); err != nil {
			return nil, fmt.Errorf("expand: %w", err)
		}
	}
	return out.Bytes(), nil
}

// placeholders are the ways to write a name.
func placeholders(name string) []string {
	upper := strings.ToUpper(name)
	return []string{"{" + name + "}", "${" + upper + "}", "$" + upper}
}

// longestFirst orders pairs of old and new so that $ITEMS is not taken for
// $ITEM and an S: a Replacer tries them in their order.
func longestFirst(pairs []string) []string {
	var list [][]string
	for p := range slices.Chunk(pairs, 2) {
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(a, b []string) int { return len(b[0]) - len(a[0]) })
	return slices.Concat(list...)
}

func has(n *yaml.Node, name string) bool {
	if n.Kind == yaml.ScalarNode {
		return slices.ContainsFunc(placeholders(name), func(p string) bool { return strings.Contains(n.Value, p) })
	}
	return slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return has(c, name) })
}

// filled is a copy of n with its text replaced.
func filled(n *yaml.Node, r *strings.Replacer) *yaml.Node {
	c := *n
	if c.Kind == yaml.ScalarNode {
		if v := r.Replace(c.Value); v != c.Value {
			c.Value = v
			if c.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0 {
				c.Tag, c.Style = plain(v)
			}
		}
	}
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = filled(child, r)
	}
	return &c
}

// plain is how a value that the template does not quote is written. Numbers, as
// for parallelism, stay numbers; all that is no number is text, also what older
// YAML takes for a boolean, such as no.
func plain(v string) (tag string, style yaml.Style) {
	n := yaml.Node{Kind: yaml.ScalarNode, Value: v}
	if tag := n.ShortTag(); tag == "!!int" || tag == "!!float" || tag == "!!bool" {
		return tag, 0
	}
	n.SetString(v)
	switch strings.ToLower(v) {
	case "y", "n", "yes", "no", "on", "off":
		n.Style = yaml.DoubleQuotedStyle
	}
	return n.Tag, n.Style
}
