package workload

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"sluice.dev/internal/nearest"
)

// fieldsOf are the fields of a struct by their names in JSON, those of inlined
// structs among them.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case f.Anonymous && name == "":
			maps.Copy(fields, fieldsOf(deref(f.Type)))
		case name == "":
			fields[f.Name] = f.Type
		default:
			fields[name] = f.Type
		}
	}
	return fields
}

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// suggest is what to say of a field that the struct t at path does not have,
// and the path that was meant, if there is one: a level further down that has
// the very name, else the nearest name of this level.
func suggest(path, name string, t reflect.Type) (message, meant string) {
	if below := descend(name, t); below != "" {
		meant = join(path, below)
		return fmt.Sprintf("unknown field: it belongs into %s", strings.TrimSuffix(meant, "."+name)), meant
	}
	known := slices.Sorted(maps.Keys(fieldsOf(t)))
	if near := nearest.Of(name, known); near != "" {
		return fmt.Sprintf("unknown field: did you mean %q?", near), join(path, near)
	}
	if len(known) > 16 {
		return "unknown field", ""
	}
	return fmt.Sprintf("unknown field: %s is allowed", anyOf(known)), ""
}

// nests are the fields that wrap what people write one level too high.
var nests = []string{"spec", "template", "jobTemplate", "itemPolicy", "scaling", "source", "schedule"}

// descend finds the path to a field below t, the shallowest first.
func descend(name string, t reflect.Type) string {
	type level struct {
		path string
		t    reflect.Type
	}
	for todo := []level{{"", t}}; len(todo) > 0; todo = todo[1:] {
		at := todo[0]
		fields := fieldsOf(at.t)
		if _, ok := fields[name]; ok && at.path != "" {
			return at.path + name
		}
		for _, nest := range nests {
			if f, ok := fields[nest]; ok && deref(f).Kind() == reflect.Struct {
				todo = append(todo, level{at.path + nest + ".", deref(f)})
			}
		}
	}
	return ""
}

// join is the path of a field below another; "" is the document's.
func join(path, name string) string {
	if path == "" {
		return oneLine(name)
	}
	return path + "." + oneLine(name)
}

// index is the path of an entry of a map.
func index(path, key string) string { return path + "[" + oneLine(key) + "]" }

// oneLine quotes a name that would not print as one.
func oneLine(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}
