package producer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"

	"sluice.dev/internal/digestset"
	"sluice.dev/queue"
)

// Check reads a whole source, makes every item of it and enqueues none, so
// that what is wrong with an input is found before any of it runs: whatever
// the source or Make refuses, two items with one output, an output folder that
// is not there and cannot be made, and outputs that exist unless they are
// skipped or replaced. Errors name the lines.
//
// Its report is what enqueueing to an empty queue would come to. It keeps some
// 50 bytes of memory for each item with an output, and 6 MiB at the most for
// those without: the rest of that goes to a file in os.TempDir(). ctx is looked
// at between records.
func Check(ctx context.Context, src Source, m *Maker, o Outputs) (Report, error) {
	var rep Report
	if err := o.validate(); err != nil {
		return rep, err
	}
	c := checker{
		outputs: o,
		owners:  make(map[digest]place),
		folders: make(map[digest]struct{}),
	}
	defer func() { _ = c.ids.Close() }()
	for r, err := range src {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return rep, err
		}
		rep.Lines++
		it, err := m.Make(ctx, rep.Lines, r)
		if err != nil {
			return rep, fmt.Errorf("%s: %w", r.Pos, err)
		}
		if err := c.add(ctx, &rep, it, r.Pos); err != nil {
			return rep, err
		}
	}
	return rep, c.existing.err()
}

// checker is what a Check remembers of the items before.
type checker struct {
	outputs  Outputs
	ids      digestset.Set
	owners   map[digest]place    // output -> where the item that has it stands
	folders  map[digest]struct{} // output folders that passed
	names    []string            // of places
	existing existing
}

// digest stands for a path in half of SHA-256: too long to collide by
// chance.
type digest [16]byte

func digestOf(s string) digest {
	sum := sha256.Sum256([]byte(s))
	return digest(sum[:len(digest{})])
}

// place is a Position whose name is an index, since a million lines share one.
type place struct {
	line int64
	name int
}

func (c *checker) place(p Position) place {
	if n := len(c.names); n == 0 || c.names[n-1] != p.Name {
		c.names = append(c.names, p.Name)
	}
	return place{p.Line, len(c.names) - 1}
}

func (c *checker) position(p place) Position { return Position{c.names[p.name], p.line} }

func (c *checker) add(ctx context.Context, rep *Report, it queue.Item, pos Position) error {
	added, err := c.ids.Add(it.ID)
	if err != nil {
		return err
	}
	known := !added
	if added {
		if err := c.own(it.Output, pos); err != nil {
			return fmt.Errorf("%s: %w", pos, err)
		}
	}
	blocked, err := c.outputs.blocks(ctx, it, pos)
	switch {
	case err != nil:
		return err
	case blocked && c.outputs.Existing == Skip:
		rep.Skipped++
		return nil
	case blocked && !known:
		c.existing.add(it.Output)
	}
	if known {
		rep.Duplicates++
	} else {
		rep.Items++
	}
	return nil
}

// own gives an output to the item at pos, if no other has it and it can be
// made.
func (c *checker) own(output string, pos Position) error {
	if output == "" {
		return nil
	}
	key := digestOf(output)
	if first, taken := c.owners[key]; taken {
		return fmt.Errorf("output %s is that of %s too: two items cannot publish one output", output, c.position(first))
	}
	c.owners[key] = c.place(pos)
	folder := filepath.Dir(output)
	key = digestOf(folder)
	if _, passed := c.folders[key]; passed {
		return nil
	}
	c.folders[key] = struct{}{}
	return checkFolder(folder)
}

// existing is the outputs that exist, the first few by name.
type existing struct {
	first []string
	count int
}

const existingNamed = 10

func (e *existing) add(output string) {
	e.count++
	if len(e.first) < existingNamed {
		e.first = append(e.first, output)
	}
}

func (e *existing) err() error {
	if e.count == 0 {
		return nil
	}
	more := ""
	if n := e.count - len(e.first); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("%s (%s%s) %w", count(int64(e.count), "output"), strings.Join(e.first, ", "), more, errExists)
}
