package workload

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice.dev/producer"
	"sluice.dev/worker/template"
)

// Records are the records of the source, none of which is held longer than it
// is read. It is for a source without a fault.
func (s *Source) Records() producer.Source {
	switch {
	case s.Glob != "":
		return producer.Glob(s.Glob)
	case s.Frames != nil:
		return s.Frames.records()
	case len(s.List) > 0:
		return producer.Args(s.List)
	case len(s.Args) > 0:
		axes := make([]producer.Axis, len(s.Args))
		for i, a := range s.Args {
			axes[i] = producer.Axis{Name: a.Name, Values: a.Values}
		}
		return producer.Sweep(axes...)
	}
	return func(yield func(producer.Record, error) bool) {
		for _, name := range s.Files {
			for r, err := range s.file(name) {
				if !yield(r, err) {
					return
				}
			}
		}
	}
}

func (s *Source) file(name string) producer.Source {
	switch s.Format {
	case FormatJSONLines:
		return producer.Open(name, producer.JSONLines)
	case FormatCSV:
		return producer.Open(name, producer.CSV)
	}
	return producer.File(name, producer.LineOptions{})
}

func (f *Frames) records() producer.Source {
	return producer.Frames(f.Range, producer.FrameOptions{Chunk: int(orZero(f.Chunk)), Pad: int(orZero(f.Pad))})
}

func orZero(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}

// OfFiles tells whether what the source yields depends on which files there
// are.
func (s *Source) OfFiles() bool { return s.Glob != "" || len(s.Files) > 0 }

// Fields says which placeholders besides those of every item the source can
// fill. Of a WorkQueue without a source, and of files that are not read yet, it
// may be any.
func (s *Source) Fields() template.Options {
	var o template.Options
	switch {
	case s == nil || s.Format == FormatJSONLines || s.Format == FormatCSV:
		o.AnyField = true
	case s.Frames != nil:
		o.Fields = producer.FrameFields()
	}
	if s != nil {
		for _, a := range s.Args {
			o.Fields = append(o.Fields, a.Name)
		}
	}
	return o
}

var sources = []string{"files", "glob", "frames", "list", "args"}

func (d *Document) checkSource(s *Source) {
	const path = "spec.source"
	if s == nil {
		return
	}
	var given []string
	for _, name := range sources {
		if at := join(path, name); d.has(at) || d.meant[at] {
			given = append(given, name)
		}
	}
	switch {
	case len(given) == 0:
		d.refuse(path, "no source of items: one of %s is needed", anyOf(sources))
	case len(given) > 1:
		d.refuse(path, "%s: one of them is allowed", strings.Join(given, " and "))
	}
	if d.has(path+".format") && !d.has(path+".files") {
		d.refuse(path+".format", "only with files: say %s.files", path)
	}
	if s.Glob != "" {
		if err := producer.CheckGlob(s.Glob); err != nil {
			d.refuse(path+".glob", "%s is not a pattern: %v", clip(s.Glob), err)
		}
	}
	d.checkFrames(s.Frames)
	d.checkLists(s)
	d.checkInput(s)
}

func (d *Document) checkInput(s *Source) {
	const path = "spec.source.input"
	switch o := s.Fields(); {
	case !d.has(path) || d.broken("spec.source"):
	case o.AnyField && s.Input != "" || slices.Contains(o.Fields, s.Input) && s.Frames == nil:
	case len(s.Args) > 0:
		d.refuse(path, "%s is no argument: %s is allowed", clip(s.Input), anyOf(o.Fields))
	case o.AnyField:
		d.refuse(path, "empty: the name of a field is allowed")
	default:
		d.refuse(path, "only with args, or files of JSONLines or CSV, which have fields")
	}
}

func (d *Document) checkFrames(f *Frames) {
	const path = "spec.source.frames"
	if f == nil {
		return
	}
	d.atLeastOne(widen(f.Chunk), path+".chunk")
	if f.Pad != nil && (*f.Pad < 1 || *f.Pad > producer.MaxPad) {
		d.refuse(path+".pad", "%d is out of range: 1 to %d is allowed", *f.Pad, producer.MaxPad)
	}
	if f.Range == "" {
		d.refuse(path+".range", "required: such as 1-240, 1-240x2 or 1-100,300-310")
		return
	}
	if d.broken(path) {
		return
	}
	for _, err := range f.records() {
		if err != nil {
			d.refuse(path+".range", "%v", err)
		}
		return // the first tells all
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
	if len(s.Args) > 0 && !d.broken("spec.source.args") {
		for _, err := range s.Records() {
			if err != nil {
				d.refuse("spec.source.args", "%v", err)
			}
			return
		}
	}
}

// checkTemplates refuses placeholders that have no meaning, or that the source
// cannot fill, in the command that is run for each item and in the output.
func (d *Document) checkTemplates(s *WorkQueueSpec) {
	const path, output = "spec.jobTemplate.spec.template.spec.containers", "spec.itemPolicy.output"
	fields := s.Source.Fields()
	if d.broken("spec.source") {
		fields = template.Options{AnyField: true} // what was meant is not known
	}
	if d.has(output) {
		if _, err := template.ParsePattern(s.ItemPolicy.Output, fields); err != nil {
			d.refuse(output, "%v", err)
		}
	}
	containers := s.JobTemplate.Spec.Template.Spec.Containers
	if len(containers) == 0 || d.broken(path) {
		return
	}
	c := &containers[0]
	at, argv := path+"[0].command", c.Command
	if len(argv) == 0 && len(c.Args) > 0 {
		argv = []string{"the image's"}
	}
	if len(argv) == 0 {
		return
	}
	t, err := template.Parse(argv, fields)
	if err == nil && len(c.Args) > 0 {
		at = path + "[0].args"
		t, err = template.Parse(slices.Concat(argv, c.Args), fields)
	}
	switch {
	case err != nil:
		d.refuse(at, "%s", plainly(err))
	case t.UsesOut() && !d.has(output) && (s.Source != nil || s.PerNode()): // others say it with each item
		d.refuse(at, "it writes to {out} or {outdir}: say with %s what that becomes", output)
	case !t.UsesOut() && d.has(output):
		d.refuse(output, "the command has neither {out} nor {outdir}, so that nothing would be written there")
	}
}

// plainly is an error without the name of the package that it is from.
func plainly(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "template: "))
}
