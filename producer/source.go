package producer

import (
	"iter"
	"strconv"
)

// Source yields records in the order of the input. An error ends it and names
// the place of the fault. The sources of this package hold one record at a
// time, however long the input is.
type Source = iter.Seq2[Record, error]

// Record is one input before it is an item.
type Record struct {
	Arg    string            // any bytes but NUL
	Fields map[string]string // of a JSON object or a table's row; nil if there are none
	File   bool              // Arg must name a regular file; else it may, if there are no Fields
	Pos    Position
}

// Position is where a record stands in the input, for errors.
type Position struct {
	Name string
	Line int64 // from 1; 0 if Name says it all
}

func (p Position) String() string {
	if p.Line == 0 {
		return p.Name
	}
	return p.Name + ":" + strconv.FormatInt(p.Line, 10)
}

// Args yields each string of a list, the empty one too.
func Args(list []string) Source {
	return func(yield func(Record, error) bool) {
		for i, arg := range list {
			pos := Position{Name: "argument " + strconv.Itoa(i+1)}
			if !yield(Record{Arg: arg, Pos: pos}, nil) {
				return
			}
		}
	}
}
