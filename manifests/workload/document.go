package workload

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Document is one object of a file.
type Document struct {
	Position
	Kind, Name, Namespace string

	// Object is as it was written, without defaults: a *WorkQueue,
	// *batchv1.Job, *batchv1.CronJob, *appsv1.DaemonSet, *appsv1.Deployment or
	// *corev1.ConfigMap.
	Object any

	places map[string]Position // of what is written, by path
	meant  map[string]bool     // paths that have a fault, or that a misspelt or misplaced field was meant for
	errs   Errors
}

func newDocument(at Position) *Document {
	return &Document{Position: at, places: map[string]Position{"": at}, meant: make(map[string]bool)}
}

// refuse notes what is wrong with the value at path, with the place of its
// nearest parent when it is not there. After a fault of the path or of what is
// around it nothing is told: it follows from the first.
func (d *Document) refuse(path, format string, args ...any) {
	for up := path; up != ""; up = parent(up) {
		if d.meant[up] {
			return
		}
	}
	d.refuseAt(d.At(path), path, fmt.Sprintf(format, args...))
}

func (d *Document) refuseAt(at Position, path, message string) {
	d.meant[path] = true
	d.errs = append(d.errs, &Error{Position: at, Path: path, Message: message})
}

// require refuses an empty value.
func (d *Document) require(empty bool, path string) {
	if empty {
		d.refuse(path, "required")
	}
}

// At is where the value at path stands, such as spec.source, or the nearest
// parent of it that is written.
func (d *Document) At(path string) Position {
	for {
		if at, ok := d.places[path]; ok {
			return at
		}
		path = parent(path)
	}
}

// has tells whether path is written in the document.
func (d *Document) has(path string) bool {
	_, ok := d.places[path]
	return ok
}

// broken tells whether path, or something below it, has a fault.
func (d *Document) broken(path string) bool {
	for p := range d.meant {
		if rest, ok := strings.CutPrefix(p, path); ok && (rest == "" || strings.ContainsAny(rest[:1], ".[")) {
			return true
		}
	}
	return false
}

// parent is the path that a path is below.
func parent(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// at is where a node of the document's file stands.
func (d *Document) at(n *yaml.Node) Position {
	return Position{d.File, n.Line, n.Column}
}
