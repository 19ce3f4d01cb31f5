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
// one file. Of an item memory has nothing: an index, in bounded memory, tells
// where in the file its last entries stand.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	Last      Kind            // Done, Dead, or Committed if neither; "" of an item that is not known
	Attempts  int             // of Last
	Data      json.RawMessage // of Last, if Done or Dead
	Committed json.RawMessage // the last record that was committed; nil if none
}

// Journal is an opened journal, which tells what was recorded before it was
// opened. One process at a time has it.
type Journal struct {
	dir  string
	lock *os.File
	*Writer

	file  *os.File // has all that was recorded before; nil if there is nothing
	index *index   // of it

	Damaged int  // lines that were passed over
	Resumed bool // another run has had it before
}

const (
	snapshotName = "items.log"
	suffix       = ".log"
	foldPrefix   = "fold-"
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
	j := &Journal{dir: dir, lock: lock, index: newIndex(dir)}
	if err := j.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), j.release())
	}
	return j, nil
}

// Close ends the journal and lets others have it.
func (j *Journal) Close() error { return errors.Join(j.Writer.Close(), j.release()) }

func (j *Journal) release() error {
	err := j.index.close()
	if j.file != nil {
		err = errors.Join(err, j.file.Close())
	}
	return errors.Join(err, j.lock.Close())
}
