package workload

import (
	"fmt"
	"regexp"
	"strings"
)

var sources = []string{"files", "glob", "frames", "list", "args"}

func (d *Document) checkSource() {
	var given []string
	for _, name := range sources {
		if path := join("spec.source", name); d.has(path) || d.meant[path] {
			given = append(given, name)
		}
	}
	switch {
	case len(given) == 0:
		d.refuse("spec.source", "no source of items: one of %s is needed", anyOf(sources))
	case len(given) > 1:
		d.refuse("spec.source", "%s: one of them is allowed", strings.Join(given, " and "))
	}
}

func (d *Document) checkFrames(f *Frames) {
	const path = "spec.source.frames"
	for _, name := range []string{"first", "last"} {
		d.require(!d.has(join(path, name)), join(path, name))
	}
	d.atLeastOne(f.Step, path+".step")
	if f.Last < f.First {
		d.refuse(path+".last", "%d is out of range: first, %d, or more is allowed", f.Last, f.First)
	}
}

var argName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func (d *Document) checkLists(s *Source) {
	for _, l := range []struct {
		name string
		n    int
	}{{"files", len(s.Files)}, {"glob", len(s.Glob)}, {"list", len(s.List)}, {"args", len(s.Args)}} {
		path := join("spec.source", l.name)
		if d.has(path) && l.n == 0 {
			d.refuse(path, "empty: there would be no items")
		}
	}
	for i, f := range s.Files {
		d.require(f == "", fmt.Sprintf("spec.source.files[%d]", i))
	}
	seen := make(map[string]bool)
	for i, a := range s.Args {
		path := fmt.Sprintf("spec.source.args[%d]", i)
		switch {
		case a.Name == "":
			d.refuse(path+".name", "required")
		case !argName.MatchString(a.Name):
			d.refuse(path+".name", "%s is not a name: letters, digits, _ and - are allowed, a letter or _ first", clip(a.Name))
		case a.Name == "out" || a.Name == "outdir":
			d.refuse(path+".name", "{%s} is where an output is written: another name is allowed", a.Name)
		case seen[a.Name]:
			d.refuse(path+".name", "duplicate: another argument is %q already", a.Name)
		}
		seen[a.Name] = true
		d.require(len(a.Values) == 0, path+".values")
	}
}
