package producer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"sluice.dev/internal/identity"
	"sluice.dev/internal/payload"
	"sluice.dev/queue"
)

// MakerOptions says what items are made of. The zero value makes items of the
// queue's own batch, without an output.
type MakerOptions struct {
	// Scope is what is done with each item: the command's template and the
	// output's pattern. The same record in another scope is another item.
	Scope string

	Batch    string        // "" is the queue's own
	Priority int           // 1 to 9; 0 is the default of 5
	Delay    time.Duration // ready this long after the enqueue

	// Output is the path that an item publishes, of a payload that has
	// everything but the output, N included. A relative path starts at Dir.
	// An empty one is an error. nil publishes nothing.
	Output func(payload.Payload) (string, error)

	// Needs names fields that a record must have, since its command uses them.
	Needs []string

	// InputField names the field that names an item's input file, which must
	// be there. "" is the argument, which may name one if there are no fields.
	InputField string

	// Content takes an input's identity from its bytes, which are read each
	// time; else from its size, modification time and inode.
	Content bool

	// Numbered makes a record's number part of its item, for commands that
	// see it: the same line in another place is then another item. Otherwise
	// a payload has no number, so that both are one item with one payload.
	Numbered bool

	// Dir is where relative paths start; "" is the working directory.
	Dir string
}

// Maker makes items of records. It is safe for concurrent use if Output is.
type Maker struct {
	o MakerOptions
}

// NewMaker returns a Maker, or an error that names the option that is wrong.
func NewMaker(o MakerOptions) (*Maker, error) {
	probe := queue.Item{ID: "any", Batch: o.Batch, Priority: o.Priority, Delay: o.Delay}
	if err := probe.Validate(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("folder of relative paths: %w", err)
	}
	o.Dir = dir
	return &Maker{o}, nil
}

// Make is the item of the n-th record, counting from 1. It reads the input
// file where its identity asks for that. Errors do not name the record.
//
// The item's id is 20 hexadecimal digits of the SHA-256 of Scope and payload.
// Since the payload holds all that makes an item this one (argument, fields,
// output, identity of the input), the same id never stands for two payloads.
func (m *Maker) Make(ctx context.Context, n int64, r Record) (queue.Item, error) {
	if strings.IndexByte(r.Arg, 0) >= 0 {
		return queue.Item{}, fmt.Errorf("argument %.40q has a NUL byte: any other byte is allowed", r.Arg)
	}
	if err := m.checkFields(r.Fields); err != nil {
		return queue.Item{}, err
	}
	in, err := m.input(ctx, r)
	if err != nil {
		return queue.Item{}, err
	}
	pl := payload.Payload{Arg: r.Arg, N: n, Fields: r.Fields, Input: in}
	if pl.Output, err = m.output(pl); err != nil {
		return queue.Item{}, err
	}
	if !m.o.Numbered {
		pl.N = 0
	}
	kept, err := pl.Encode()
	if err != nil {
		return queue.Item{}, err
	}
	it := queue.Item{
		ID:       m.id(kept),
		Payload:  kept,
		Priority: m.o.Priority,
		Delay:    m.o.Delay,
		Batch:    m.o.Batch,
		Output:   pl.Output,
	}
	return it, it.Validate()
}

func (m *Maker) id(kept []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s", len(m.o.Scope), m.o.Scope) // its length, since it may have any bytes
	h.Write(kept)
	return hex.EncodeToString(h.Sum(nil)[:10])
}

// checkFields refuses what a payload, which is JSON, or a command cannot hold
// unharmed, and misses what the command needs.
func (m *Maker) checkFields(fields map[string]string) error {
	for _, name := range m.o.Needs {
		if _, ok := fields[name]; !ok {
			return fmt.Errorf("field %q is missing, and {%s} stands in the command: the fields are %q", name, name, slices.Sorted(maps.Keys(fields)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v := fields[name]
		switch {
		case !utf8.ValidString(name) || !utf8.ValidString(v):
			return fmt.Errorf("field %.40q is %.40q: names and values of fields are UTF-8", name, v)
		case strings.IndexByte(v, 0) >= 0:
			return fmt.Errorf("field %.40q is %.40q: a value has any character but NUL", name, v)
		}
	}
	return nil
}

// input is the identity of the file that a record names, nil if it names none.
func (m *Maker) input(ctx context.Context, r Record) (*payload.Input, error) {
	path, must := r.Arg, r.File
	if f := m.o.InputField; f != "" {
		v, ok := r.Fields[f]
		if !ok {
			return nil, fmt.Errorf("input field %q is missing: the fields are %q", f, slices.Sorted(maps.Keys(r.Fields)))
		}
		path, must = v, true
	}
	if !must && (path == "" || r.Fields != nil) {
		return nil, nil
	}
	if !filepath.IsAbs(path) {
		path = m.o.Dir + "/" + path // not cleaned: link/.. is not where link is
	}
	in, err := identity.Take(ctx, path, m.o.Content)
	switch {
	case err == nil:
		return &in, nil
	case !must && namesNoFile(err):
		return nil, nil
	default:
		return nil, fmt.Errorf("input: %w", err)
	}
}

// namesNoFile tells whether a path that was looked at is no regular file as
// far as this process may see, so that it is a mere argument. A file that is
// there and cannot be read, or a disk that fails, is none of that.
func namesNoFile(err error) bool {
	if errors.Is(err, identity.ErrNotRegular) {
		return true
	}
	pe, ok := errors.AsType[*fs.PathError](err)
	if !ok || pe.Op != "stat" {
		return false
	}
	return absent(err) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENAMETOOLONG)
}

func (m *Maker) output(pl payload.Payload) (string, error) {
	if m.o.Output == nil {
		return "", nil
	}
	out, err := m.o.Output(pl)
	if err != nil {
		return "", fmt.Errorf("output: %w", err)
	}
	switch {
	case out == "":
		return "", errors.New("output is empty: it must name a file")
	case strings.IndexByte(out, 0) >= 0:
		return "", fmt.Errorf("output %.40q has a NUL byte: any other byte is allowed", out)
	case !filepath.IsAbs(out):
		out = filepath.Join(m.o.Dir, out)
	}
	if out = filepath.Clean(out); out == "/" {
		return "", errors.New(`output is "/": it must name a file`)
	}
	return out, nil
}
