package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Finish renames the files of a committed record into their places, in their
// order, and makes that durable. Files that are in place already stay there,
// so anybody who has the record may call it, at any time, several at once.
//
// Everything is looked at before anything moves. It returns *Gone if a file is
// neither staged nor in place, and *Exists if something else is in its place
// that the record does not allow to replace.
func Finish(r Record) error { return system.finish(r) }

// maxLooks bounds how often others may change the situation of one file while
// it is being moved. Each change is a step of another Finish of the same
// record, which has few.
const maxLooks = 32

func (m mover) finish(r Record) error {
	if err := r.validate(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	for _, f := range r.Files {
		if _, err := r.look(f); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	for _, f := range r.Files {
		if err := m.publish(r, f); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	if err := syncDir(r.Dir); err != nil {
		return fmt.Errorf("publish: make the output durable: %w", err)
	}
	return nil
}

// publish puts one file into its place: look, act, and look again when the act
// met with another's.
func (m mover) publish(r Record, f File) error {
	var met error
	for range maxLooks {
		at, err := r.look(f)
		if err != nil || at.inPlace {
			return err
		}
		if at.occupied {
			met = m.replace(r, f, at.source)
		} else {
			met = m.place(at.source, r.final(f), f.Dir)
		}
		if !errors.Is(met, fs.ErrExist) && !errors.Is(met, fs.ErrNotExist) {
			return met // nil, as a rule
		}
	}
	return met
}

// situation is where a committed file stands.
type situation struct {
	inPlace  bool
	source   string // where it is, if not in place
	occupied bool   // something that may be replaced has its place
}

func (r Record) final(f File) string  { return filepath.Join(r.Dir, f.Name) }
func (r Record) staged(f File) string { return filepath.Join(r.Staging, f.Name) }

// look finds out where a committed file stands. Its errors are Finish's.
func (r Record) look(f File) (situation, error) {
	final := r.final(f)
	// Another may be moving the file from one of the places where this looks
	// to one where it has looked, but not again and again.
	for range 4 {
		there, err := lstat(final)
		if err != nil {
			return situation{}, err
		}
		if f.is(there) {
			return situation{inPlace: true}, nil
		}
		source, err := r.find(f)
		if err != nil {
			return situation{}, err
		}
		if source == "" {
			continue
		}
		if there != nil && !r.Replace && !isOneOf(r.Previous, there) {
			return situation{}, &Exists{Path: final}
		}
		return situation{source: source, occupied: there != nil}, nil
	}
	return situation{}, &Gone{Path: final}
}

// find is the path of a committed file in the staging folder, "" if it is not
// there: under its name, or under one that replace gave it.
func (r Record) find(f File) (string, error) {
	info, err := lstat(r.staged(f))
	if err != nil {
		return "", err
	}
	if f.is(info) {
		return r.staged(f), nil
	}
	entries, err := os.ReadDir(r.Staging)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), takenPrefix) {
			continue
		}
		path := filepath.Join(r.Staging, e.Name())
		if info, err = lstat(path); err != nil {
			return "", err
		}
		if f.is(info) {
			return path, nil
		}
	}
	return "", nil
}
