package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// prefix begins the name of every staging folder, and of what this package
// keeps in one. Nothing is published under such a name.
const prefix = ".sluice-"

// maxID is the longest id, in bytes, that is part of a folder's name as it is.
const maxID = 64

// Stage is the staging folder of one attempt. Its methods are not for
// concurrent use; those of different stages are.
type Stage struct {
	// First says that no earlier attempt of the item was begun. Then nothing
	// is left of one, and Create and Remove do not read the folder of the
	// final path in search of it, which takes long when it has many entries.
	First bool

	dir, name string // of the final path
	id        string // as it is written in the folder's name
	token     uint64
}

// NewStage is the staging folder of the attempt with this token at the item
// with this id, whose output is to be final. Create makes the folder.
func NewStage(final, id string, token uint64) *Stage {
	final = filepath.Clean(final)
	return &Stage{dir: filepath.Dir(final), name: filepath.Base(final), id: safeID(id), token: token}
}

// safeID is an id as a part of a file's name: as it is if it has up to maxID
// letters, digits, '.', '_' and '-', else a digest of it.
func safeID(id string) string {
	odd := strings.ContainsFunc(id, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		return !letter && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	})
	if id != "" && len(id) <= maxID && !odd {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// Dir is the staging folder: {outdir}.
func (s *Stage) Dir() string {
	return filepath.Join(s.dir, prefix+s.id+"-"+strconv.FormatUint(s.token, 10))
}

// Out is where the command writes its output: {out}.
func (s *Stage) Out() string { return filepath.Join(s.Dir(), s.name) }

// Create makes the staging folder, empty, and the folders above it. It removes
// those of earlier tokens of the same item: their attempts are dead, and what
// one of them may have committed is finished before another attempt begins.
func (s *Stage) Create() error {
	if !isEntry(s.name) {
		return fmt.Errorf("publish: output %q names no file that could be published", filepath.Join(s.dir, s.name))
	}
	if err := s.create(); err != nil {
		return fmt.Errorf("publish: create staging folder: %w", err)
	}
	return nil
}

func (s *Stage) create() error {
	if err := makeDir(s.dir); err != nil {
		return err
	}
	if err := s.removeEarlier(); err != nil {
		return err
	}
	err := os.Mkdir(s.Dir(), 0o777)
	if errors.Is(err, fs.ErrExist) { // left by this very attempt
		if err := removeAll(s.Dir()); err != nil {
			return err
		}
		err = os.Mkdir(s.Dir(), 0o777)
	}
	return err
}

// Remove removes the staging folder of this token and those of earlier tokens
// of the same item, with what is in them. Call it when the item is settled or
// its record is finished. It is no error if there are none.
func (s *Stage) Remove() error {
	err := removeAll(s.Dir())
	if err == nil {
		err = s.removeEarlier()
	}
	if err != nil {
		return fmt.Errorf("publish: remove staging folder: %w", err)
	}
	return nil
}

// removeEarlier removes the staging folders of tokens below this one.
func (s *Stage) removeEarlier() error {
	if s.First {
		return nil
	}
	return sweep(s.dir, func(id string, token uint64) bool { return id == s.id && token < s.token })
}

// Sweep removes from dir, the folder of final paths, every staging folder of
// the items with these ids, whatever their tokens. No attempt at one of them
// may be running, and their records must be finished. It is no error if dir
// does not exist.
func Sweep(dir string, ids ...string) error {
	known := make(map[string]bool, len(ids))
	for _, id := range ids {
		known[safeID(id)] = true
	}
	if err := sweep(dir, func(id string, _ uint64) bool { return known[id] }); err != nil {
		return fmt.Errorf("publish: sweep staging folders: %w", err)
	}
	return nil
}

// sweep removes the staging folders in dir that are dead. It goes on after an
// error and returns them all.
func sweep(dir string, dead func(id string, token uint64) bool) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	errs := []error{err}
	for _, name := range names {
		if id, token, ok := parseStaging(name); ok && dead(id, token) {
			errs = append(errs, removeAll(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}

// parseStaging takes the name of a staging folder apart.
func parseStaging(name string) (id string, token uint64, ok bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	at := strings.LastIndexByte(rest, '-')
	if !ok || at < 1 {
		return "", 0, false
	}
	token, err := strconv.ParseUint(rest[at+1:], 10, 64)
	return rest[:at], token, err == nil
}
