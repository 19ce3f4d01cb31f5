package workload

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/internal/nearest"
)

// booleans are the words that YAML 1.1, and so Kubernetes, takes for true and
// false.
var booleans = map[string]bool{
	"y": true, "yes": true, "on": true, "true": true,
	"n": false, "no": false, "off": false, "false": false,
}

// boolean is what a plain scalar means as one.
func boolean(n *yaml.Node) (v, ok bool) {
	if n.Kind != yaml.ScalarNode || n.Style&^yaml.TaggedStyle != 0 {
		return false, false
	}
	s := n.Value
	if s != strings.ToLower(s) && s != strings.ToUpper(s) && s != strings.ToUpper(s[:1])+strings.ToLower(s[1:]) {
		return false, false // yEs is a string
	}
	v, ok = booleans[strings.ToLower(s)]
	return v, ok && n.ShortTag() != "!!int"
}

// describe names what a node is, for errors.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return describe(n.Alias)
	}
	what := "the string "
	if _, ok := boolean(n); ok {
		what = "the boolean "
	} else if tag := n.ShortTag(); tag == "!!int" || tag == "!!float" {
		what = "the number "
	} else if tag == "!!null" {
		return "nothing"
	}
	if what == "the string " {
		return what + clip(n.Value)
	}
	return what + n.Value
}

// clip quotes a value, and cuts a long one.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:57]) + "..."
	}
	return strconv.Quote(s)
}

// scalar is a string, a number or a boolean.
func (d *decoder) scalar(n *yaml.Node, t reflect.Type, path string) any {
	v, needed := plain(n, t)
	if needed != "" {
		d.refuseAt(d.at(n), path, fmt.Sprintf("%s is needed, not %s", needed, describe(n)))
		return omit
	}
	if i, ok := v.(int64); ok && i < 0 && !mayBeNegative[path[strings.LastIndex(path, ".")+1:]] {
		d.refuseAt(d.at(n), path, fmt.Sprintf("%d is out of range: 0 or more is allowed", i))
		return omit
	}
	if words := choices[t]; words != nil && v != "" && !slices.Contains(words, n.Value) {
		if near := nearest.Of(n.Value, words); near != "" {
			d.refuseAt(d.at(n), path, fmt.Sprintf("unknown value %s: did you mean %q?", clip(n.Value), near))
		} else {
			d.refuseAt(d.at(n), path, fmt.Sprintf("unknown value %s: %s is allowed", clip(n.Value), anyOf(words)))
		}
		return omit
	}
	return v
}

// mayBeNegative are the only numbers of all kinds of which less than zero
// means something.
var mayBeNegative = map[string]bool{"priority": true, "tolerationSeconds": true, "first": true, "last": true}

// plain is a scalar as one of Go's basic types, or what is needed instead.
func plain(n *yaml.Node, t reflect.Type) (v any, needed string) {
	tag := n.ShortTag()
	b, isBool := boolean(n)
	switch t.Kind() {
	case reflect.String:
		if n.Kind != yaml.ScalarNode || isBool || tag != "!!str" && tag != "!!timestamp" {
			if n.Kind == yaml.ScalarNode {
				return nil, "a string in quotes"
			}
			return nil, "a string"
		}
		return n.Value, ""
	case reflect.Bool:
		if !isBool {
			return nil, "true or false"
		}
		return b, ""
	case reflect.Float32, reflect.Float64:
		var f float64
		if tag != "!!int" && tag != "!!float" || n.Decode(&f) != nil {
			return nil, "a number"
		}
		return f, ""
	}
	var i int64
	if tag != "!!int" || n.Decode(&i) != nil {
		return nil, "a whole number"
	}
	if t.Kind() == reflect.Int32 && i != int64(int32(i)) {
		return nil, "a whole number of at most 2147483647"
	}
	return i, ""
}

// examples say what the types that read their own JSON allow.
var examples = map[reflect.Type]string{
	reflect.TypeFor[resource.Quantity]():  "a quantity such as 500m, 1.5 or 2Gi",
	reflect.TypeFor[metav1.Duration]():    "a time with its unit such as 500ms, 90s or 5m",
	reflect.TypeFor[metav1.Time]():        "a time such as 2026-01-31T15:04:05Z",
	reflect.TypeFor[metav1.MicroTime]():   "a time such as 2026-01-31T15:04:05.000000Z",
	reflect.TypeFor[intstr.IntOrString](): "a whole number or a string",
	reflect.TypeFor[[]byte]():             "base64",
}

// leaf is a value of a type that reads its own JSON.
func (d *decoder) leaf(n *yaml.Node, t reflect.Type, path string) any {
	v := d.free(n, path)
	if n.ShortTag() == "!!timestamp" {
		v = n.Value
	}
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, reflect.New(t).Interface())
	}
	if err != nil {
		needed := examples[t]
		if needed == "" {
			needed = "another value"
		}
		d.refuseAt(d.at(n), path, fmt.Sprintf("%s is needed, not %s", needed, describe(n)))
		return omit
	}
	return v
}
