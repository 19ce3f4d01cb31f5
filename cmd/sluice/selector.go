package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"sluice.dev/internal/payload"
	"sluice.dev/queue"
	"sluice.dev/worker/template"
)

// selector chooses items by their fields, in the form in which kubectl selects
// by labels: all of its requirements hold. The zero value chooses every item.
type selector []requirement

type requirement struct {
	field, value string
	any          bool // of the field's value: that it is there is all that is asked
	not          bool
}

const selectorForms = "NAME=VALUE, NAME!=VALUE, NAME and !NAME are allowed, with commas between them"

func (s *selector) String() string { return "" }
func (s *selector) Type() string   { return "string" }

// Set implements pflag.Value.
func (s *selector) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		var r requirement
		name, value, found := strings.Cut(part, "=")
		switch {
		case found && strings.HasSuffix(name, "!"):
			r = requirement{field: name[:len(name)-1], value: value, not: true}
		case found:
			r = requirement{field: name, value: strings.TrimPrefix(value, "=")} // kubectl takes == too
		default:
			name, r.not = strings.CutPrefix(part, "!")
			r.field, r.any = name, true
		}
		if !template.IsField(r.field) {
			return fmt.Errorf("%q is none: %s", part, selectorForms)
		}
		*s = append(*s, r)
	}
	return nil
}

func registerSelector(fs *pflag.FlagSet, s *selector) {
	fs.VarP(s, "selector", "l", "items with these `FIELDS` alone, such as 'preset=fast,crf!=18'")
}

// itemFields is an item's fields. One that the command line did not make has none.
func itemFields(it queue.Item) map[string]string {
	p, err := payload.Decode(it.Payload)
	if err != nil {
		return nil
	}
	return p.Fields
}

// matches tells whether an item has such fields.
func (s *selector) matches(it queue.Item) bool {
	if len(*s) == 0 {
		return true
	}
	fields := itemFields(it)
	for _, r := range *s {
		value, there := fields[r.field]
		if (there && (r.any || value == r.value)) == r.not {
			return false
		}
	}
	return true
}

// items lists those that a query and a selector choose. The store knows nothing
// of fields, so that it lists all that the query does, without its limit.
func (s *selector) items(ctx context.Context, q *queue.Queue, query queue.Query) ([]queue.Record, error) {
	limit := query.Limit
	if len(*s) > 0 {
		query.Limit = 0
	}
	list, err := q.Items(ctx, query)
	list = slices.DeleteFunc(list, func(r queue.Record) bool { return !s.matches(r.Item) })
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list, err
}
