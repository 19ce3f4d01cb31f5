// Package journal keeps what became of a run's items in a folder, so that the
// same run, started again after anything was killed, repeats nothing that was
// recorded.
//
// A journal is files of lines, one file a process that writes: nobody shares
// an offset. A line is the CRC-32C of its text in hex, a space, and an entry as
// JSON. A line that is cut short or does not match its sum is passed over, and
// the item that it spoke of runs again: damage costs work, never an answer.
//
// It is no queue. Entries are only ever added; Open folds what is there into
// one file.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Kind is what an entry tells.
type Kind string

// The kinds of entries. A later entry of an item replaces an earlier one, but
// for Committed, which stays: it proves what the item has published.
const (
	Committed Kind = "committed" // Data: the record of what the item publishes
	Done      Kind = "done"      // Data: its result
	Dead      Kind = "dead"      // Data: its last failure
)

// Entry is one line of a journal.
type Entry struct {
	Kind     Kind            `json:"kind"`
	ID       string          `json:"id"`
	Attempts int             `json:"attempts,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// Item is what a journal knows of an item.
type Item struct {
	Last      Kind            // Done, Dead, or Committed if neither
	Attempts  int             // of Last
	Data      json.RawMessage // of Last, if Done or Dead
	Committed json.RawMessage // the last record that was committed; nil if none
}

// Journal is an opened journal. One process at a time has it.
type Journal struct {
	dir  string
	lock *os.File
	*Writer

	Items   map[string]Item // what was recorded before; the caller's to change
	Damaged int             // lines that were passed over
	Resumed bool            // another run has had it before
}

const (
	snapshotName = "items.log"
	suffix       = ".log"
	lockName     = "lock"
	writersName  = "writers"
)

// Open opens the journal of a folder, which it makes if need be, folds what is
// recorded there into one file, and starts one for this process. It returns
// *Busy while another process has it.
func Open(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	lock, err := takeLock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	j := &Journal{dir: dir, lock: lock, Items: make(map[string]Item)}
	if err := j.load(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("journal: %w", err)
	}
	return j, nil
}

// Close ends the journal and lets others have it.
func (j *Journal) Close() error {
	return errors.Join(j.Writer.Close(), j.lock.Close())
}

// load reads every file and writes what they come to into a new snapshot.
func (j *Journal) load() error {
	if err := awaitWriters(filepath.Join(j.dir, writersName)); err != nil {
		return err
	}
	names, err := logs(j.dir)
	if err != nil {
		return err
	}
	j.Resumed = len(names) > 0
	for _, name := range names {
		if err := j.read(filepath.Join(j.dir, name)); err != nil {
			return err
		}
	}
	if len(names) > 1 || j.Damaged > 0 {
		if err := j.fold(names); err != nil {
			return err
		}
	}
	j.Writer, err = NewWriter(j.dir, "run-"+strconv.Itoa(os.Getpid()))
	return err
}

// logs lists the files of a journal in the order in which they were begun: the
// snapshot, then the others by their number.
func logs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	type log struct {
		name  string
		begun int64
	}
	var found []log
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, suffix) {
			continue
		}
		var begun int64
		if name != snapshotName {
			number, _, _ := strings.Cut(name, "-")
			if begun, err = strconv.ParseInt(number, 10, 64); err != nil {
				continue // not ours
			}
		}
		found = append(found, log{name, begun})
	}
	slices.SortFunc(found, func(a, b log) int { return int(min(max(a.begun-b.begun, -1), 1)) })
	names := make([]string, len(found))
	for i, l := range found {
		names[i] = l.name
	}
	return names, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// read adds a file's entries to what is known.
func (j *Journal) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReaderSize(f, 1<<16)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			if e, ok := parse(line); ok {
				j.apply(e)
			} else {
				j.Damaged++
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// parse reads a line with its sum and its newline.
func parse(line []byte) (e Entry, ok bool) {
	text, whole := bytes.CutSuffix(line, []byte("\n"))
	if !whole || len(text) < 10 || text[8] != ' ' {
		return e, false
	}
	sum, err := strconv.ParseUint(string(text[:8]), 16, 32)
	if err != nil || uint32(sum) != crc32.Checksum(text[9:], castagnoli) {
		return e, false
	}
	return e, json.Unmarshal(text[9:], &e) == nil
}

func appendLine(b []byte, e Entry) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return b, err
	}
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(text, castagnoli))
	return append(append(b, text...), '\n'), nil
}

func (j *Journal) apply(e Entry) {
	it := j.Items[e.ID]
	switch e.Kind {
	case Committed:
		it.Committed = e.Data
		if it.Last == "" || it.Last == Dead { // begun again
			it.Last, it.Attempts, it.Data = Committed, e.Attempts, nil
		}
	case Done:
		it.Last, it.Attempts, it.Data = Done, e.Attempts, e.Data
	case Dead:
		it.Last, it.Attempts, it.Data = Dead, e.Attempts, e.Data
	}
	j.Items[e.ID] = it
}

// fold writes a snapshot of all items beside the files, puts it in the place
// of the old one and removes the rest. Cut short, it leaves what was there:
// reading a file twice says nothing new.
func (j *Journal) fold(names []string) error {
	tmp, err := os.CreateTemp(j.dir, "fold-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	w := bufio.NewWriterSize(tmp, 1<<16)
	var line []byte
	for id, it := range j.Items {
		for _, e := range it.entries(id) {
			if line, err = appendLine(line[:0], e); err != nil {
				return err
			}
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(w.Flush(), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), filepath.Join(j.dir, snapshotName)); err != nil {
		return err
	}
	if err := syncDir(j.dir); err != nil {
		return err
	}
	for _, name := range names {
		if name != snapshotName {
			if err := os.Remove(filepath.Join(j.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// entries are the lines that say what is known of an item.
func (it Item) entries(id string) []Entry {
	var es []Entry
	if it.Last == Done || it.Last == Dead {
		es = append(es, Entry{Kind: it.Last, ID: id, Attempts: it.Attempts, Data: it.Data})
	}
	if it.Committed != nil {
		c := Entry{Kind: Committed, ID: id, Attempts: it.Attempts, Data: it.Committed}
		if it.Last == Dead { // in the order in which they were written
			return []Entry{c, es[0]}
		}
		es = append(es, c)
	}
	return es
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
