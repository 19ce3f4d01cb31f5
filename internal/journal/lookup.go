package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
)

// Last is what became of an item: Done, Dead, Committed if neither, "" if the
// journal knows nothing of it.
func (j *Journal) Last(id string) (Kind, error) {
	p, known, err := j.index.state(id)
	if err != nil || !known {
		return "", wrapped(err)
	}
	return p.kind(), nil
}

// Item is what was recorded of an item.
func (j *Journal) Item(id string) (Item, error) {
	p, known, err := j.index.state(id)
	if err != nil || !known {
		return Item{}, wrapped(err)
	}
	e, err := j.entry(p.at())
	if err != nil {
		return Item{}, err
	}
	it := Item{Last: e.Kind, Attempts: e.Attempts}
	if e.Kind != Committed {
		it.Data = e.Data
	}
	at, published, err := j.index.committed.Get(id)
	if err != nil || !published {
		return it, wrapped(err)
	}
	e, err = j.entry(int64(at))
	it.Committed = e.Data
	return it, err
}

// Record is the last that an item has committed.
type Record struct {
	ID   string
	Data json.RawMessage
	At   int64 // RecordAt finds it there while the journal is open
}

// Records calls f for each item's last record, in the order in which they were
// added. Their data are good until f returns, whose errors it returns.
func (j *Journal) Records(f func(Record) error) error {
	if j.index.committed.Len() == 0 {
		return nil
	}
	return eachLine(io.NewSectionReader(j.file, 0, math.MaxInt64), func(line []byte, at int64) error {
		e, ok := parse(line)
		if !ok || e.Kind != Committed || e.Data == nil {
			return nil
		}
		last, _, err := j.index.committed.Get(e.ID)
		if err != nil || int64(last) != at {
			return wrapped(err)
		}
		return f(Record{ID: e.ID, Data: e.Data, At: at})
	})
}

// RecordAt is the record that Records has found there.
func (j *Journal) RecordAt(at int64) (Record, error) {
	e, err := j.entry(at)
	return Record{ID: e.ID, Data: e.Data, At: at}, err
}

// entry reads the line that begins at an offset.
func (j *Journal) entry(at int64) (Entry, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(j.file, at, math.MaxInt64-at), 512)
	line, err := r.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return Entry{}, wrapped(err)
	}
	e, ok := parse(line)
	if !ok {
		return Entry{}, fmt.Errorf("journal: %s has changed: what begins at byte %d is no entry any more", filepath.Join(j.dir, snapshotName), at)
	}
	return e, nil
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("journal: %w", err)
}
