// Package itemlog keeps what attempts at items write, in a folder that outlives
// them, for people who read it later or as it comes.
//
// An attempt has three files: TOKEN-KEY.item tells what it is and, in a second
// line, how it ended; TOKEN-KEY.out and TOKEN-KEY.err are its stdout and stderr,
// which its command writes itself. The token grows with every attempt, so that
// names sort by age; the key is made of the item's id. Whoever runs the attempt
// holds a lock on its .item for as long: an attempt that nobody runs and that
// has no second line was cut short with its worker.
//
// A Writer begins and ends attempts, one a process. A Keeper, one a folder,
// removes what is too much. List, Find and Follow read, at any time.
package itemlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice.dev/queue"
)

// Folder is the name under which a run keeps its attempts in its state's folder.
const Folder = "output"

// DefaultLimit is how many bytes of one attempt are kept unless another number
// is set, from MinLimit to MaxLimit.
const (
	DefaultLimit = 1 << 20
	MinLimit     = 4 << 10
	MaxLimit     = 256 << 20
)

// maxText is how much of an item's text is kept.
const maxText = 1 << 10

// Suffixes of an attempt's files.
const (
	itemSuffix = ".item"
	outSuffix  = ".out"
	errSuffix  = ".err"
)

// Head says what an attempt is.
type Head struct {
	ID      string    `json:"id"`
	Text    string    `json:"text,omitempty"` // what a person calls the item: its first KiB, as UTF-8
	Attempt int       `json:"attempt"`
	Token   uint64    `json:"token"`
	Worker  string    `json:"worker,omitempty"`
	Began   time.Time `json:"began"`
	Limit   int64     `json:"limit"` // bytes that are kept of it; its Writer's
}

// End says how an attempt ended.
type End struct {
	At      time.Time   `json:"at"`
	Verb    string      `json:"verb"` // of its lease: ack, nack, release or bury
	Cause   queue.Cause `json:"cause,omitempty"`
	Message string      `json:"message,omitempty"`
	// Lost says that the settlement did not count: the item was another's by
	// then, or the store could not be told.
	Lost bool `json:"lost,omitempty"`
}

// Outcome is what became of an attempt.
type Outcome string

// The outcomes.
const (
	Running  Outcome = "running"
	Done     Outcome = "done"
	Failed   Outcome = "failed"
	Released Outcome = "released" // given back: it counts as no attempt
	Lost     Outcome = "lost"     // its worker was killed, or its lease had ended
)

// Entry is an attempt that is kept.
type Entry struct {
	Head
	End     *End // nil while it runs, and if its worker was lost
	Outcome Outcome
	Size    int64 // of what it wrote, in bytes, after cutting

	dir, name string
}

// fileName is that of an attempt, without its suffix.
func fileName(token uint64, id string) string { return fmt.Sprintf("%016x-%s", token, key(id)) }

// key stands for an item's id, which may hold anything, in a file's name.
func key(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:8])
}

// validName tells whether a file's name without its suffix is an attempt's.
func validName(name string) bool {
	token, key, ok := strings.Cut(name, "-")
	_, err := strconv.ParseUint(token, 16, 64)
	return ok && err == nil && len(token) == 16 && len(key) == 16
}

// text is what is kept of an item's text.
func text(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxText)], "\uFFFD")
}

// attempts lists the names of a folder's attempts, the oldest first. A folder
// that is not there has none.
func attempts(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("item log: %w", err)
	}
	var names []string
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), itemSuffix); ok && validName(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// List is every attempt that a folder has, the oldest first.
func List(dir string) ([]Entry, error) { return list(dir, func(string) bool { return true }) }

// Find is the attempts at the item with this id, the oldest first; without any,
// those at items with this text.
func Find(dir, item string) ([]Entry, error) {
	suffix := "-" + key(item)
	found, err := list(dir, func(name string) bool { return strings.HasSuffix(name, suffix) })
	if err != nil || len(found) > 0 {
		return found, err
	}
	all, err := List(dir)
	if err != nil {
		return nil, err
	}
	want := text(item)
	return slices.DeleteFunc(all, func(e Entry) bool { return want == "" || e.Text != want }), nil
}

func list(dir string, wanted func(name string) bool) ([]Entry, error) {
	names, err := attempts(dir)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, name := range names {
		if !wanted(name) {
			continue
		}
		e, err := read(dir, name)
		switch {
		case err == nil:
			entries = append(entries, e)
		case !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errNoHead): // gone meanwhile, or just begun
			return nil, fmt.Errorf("item log: %w", err)
		}
	}
	return entries, nil
}

var errNoHead = errors.New("its first line is not whole")

// read reads what is known of an attempt. errNoHead is one that is being begun,
// or whose worker was killed right then.
func read(dir, name string) (Entry, error) {
	e := Entry{dir: dir, name: name}
	f, err := os.Open(e.path(itemSuffix))
	if err != nil {
		return e, err
	}
	defer f.Close()
	// A runner that goes writes the end first, then lets go of the lock.
	held, err := isHeld(f)
	if err != nil {
		return e, err
	}
	b, err := os.ReadFile(e.path(itemSuffix))
	if err != nil {
		return e, err
	}
	first, rest, whole := bytes.Cut(b, []byte("\n"))
	if !whole || json.Unmarshal(first, &e.Head) != nil {
		return e, fmt.Errorf("%s: %w", e.path(itemSuffix), errNoHead)
	}
	var end End
	if json.Unmarshal(rest, &end) == nil {
		e.End = &end
	}
	e.Outcome = e.End.outcome(held)
	for _, suffix := range []string{outSuffix, errSuffix} {
		if info, err := os.Stat(e.path(suffix)); err == nil { // one that wrote nothing has no file
			e.Size += info.Size()
		}
	}
	return e, nil
}

func (e Entry) path(suffix string) string { return filepath.Join(e.dir, e.name+suffix) }

func (e *End) outcome(held bool) Outcome {
	switch {
	case e == nil && held:
		return Running
	case e == nil || e.Lost:
		return Lost
	case e.Verb == queue.Ack.String():
		return Done
	case e.Verb == queue.Release.String():
		return Released
	}
	return Failed
}
