package workload

import (
	"encoding/json"
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// decoder checks the nodes of a document against a Go type and makes of what
// is right the value that encoding/json would read. A fault costs its own field
// alone, so that the rest is still checked.
type decoder struct {
	*Document
	nodes int                 // visited, by aliases many times, and their pairs
	full  bool                // there were too many
	open  map[*yaml.Node]bool // the aliases that are being followed
}

// Aliases can make a small file a huge one. A cluster takes less than this.
const maxNodes = 1 << 17

// omit is the value of what had a fault.
var omit = new(struct{})

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// value is node as a value of t: plain maps, slices and scalars, or omit.
func (d *decoder) value(n *yaml.Node, t reflect.Type, path string) any {
	if !d.enter(n, path) {
		return omit
	}
	defer d.leave(n)
	if n.Kind == yaml.AliasNode {
		return d.value(n.Alias, t, path)
	}
	t = deref(t)
	if n.ShortTag() == "!!null" {
		return nil
	}
	if reflect.PointerTo(t).Implements(unmarshaler) || t == reflect.TypeFor[[]byte]() {
		return d.leaf(n, t, path)
	}
	switch t.Kind() {
	case reflect.Struct:
		return d.object(n, t, path)
	case reflect.Map:
		return d.table(n, t, path)
	case reflect.Slice:
		return d.list(n, t, path)
	case reflect.Interface:
		return d.free(n, path)
	}
	return d.scalar(n, t, path)
}

// object is a struct.
func (d *decoder) object(n *yaml.Node, t reflect.Type, path string) any {
	if !d.is(n, yaml.MappingNode, "an object with fields", path) {
		return omit
	}
	fields, out := fieldsOf(t), make(map[string]any)
	for _, p := range d.pairs(n, path, join) {
		key, value := p.key, p.value
		below := join(path, key.Value)
		d.note(below, key, value)
		f, ok := fields[key.Value]
		if !ok {
			message, meant := suggest(path, key.Value, t)
			d.refuseAt(d.at(key), below, message)
			d.meant[meant] = true
			continue
		}
		d.keep(out, key.Value, d.value(value, f, below))
	}
	return out
}

// table is a map.
func (d *decoder) table(n *yaml.Node, t reflect.Type, path string) any {
	if !d.is(n, yaml.MappingNode, "an object of names and values", path) {
		return omit
	}
	out := make(map[string]any)
	for _, p := range d.pairs(n, path, index) {
		key, value := p.key, p.value
		below := index(path, key.Value)
		d.note(below, key, value)
		d.keep(out, key.Value, d.value(value, t.Elem(), below))
	}
	return out
}

func (d *decoder) list(n *yaml.Node, t reflect.Type, path string) any {
	if !d.is(n, yaml.SequenceNode, "a list", path) {
		return omit
	}
	out := make([]any, 0, len(n.Content))
	for i, e := range n.Content {
		below := fmt.Sprintf("%s[%d]", path, i)
		d.places[below] = d.at(e)
		v := d.value(e, t.Elem(), below)
		if v == nil {
			d.refuseAt(d.at(e), below, "empty: an entry has a value")
		}
		if v == nil || v == omit {
			v = reflect.Zero(t.Elem()).Interface() // the entries after it keep their numbers
		}
		out = append(out, v)
	}
	return out
}

// free is a value of any shape.
func (d *decoder) free(n *yaml.Node, path string) any {
	switch n.Kind {
	case yaml.MappingNode:
		return d.table(n, reflect.TypeFor[map[string]any](), path)
	case yaml.SequenceNode:
		return d.list(n, reflect.TypeFor[[]any](), path)
	}
	var v any
	if n.Decode(&v) != nil {
		return n.Value
	}
	return v
}

// is refuses a node of another kind.
func (d *decoder) is(n *yaml.Node, k yaml.Kind, what, path string) bool {
	if n.Kind == k {
		return true
	}
	d.refuseAt(d.at(n), path, fmt.Sprintf("%s is needed, not %s", what, describe(n)))
	return false
}

// note keeps where a field stands: a scalar itself, the key of what has more
// lines.
func (d *decoder) note(path string, key, value *yaml.Node) {
	at := key
	if value.Kind == yaml.ScalarNode {
		at = value
	}
	d.places[path] = d.at(at)
}

func (*decoder) keep(out map[string]any, key string, v any) {
	if v != omit {
		out[key] = v
	}
}
