package main

import (
	"path/filepath"
	"strconv"

	"sluice.dev/internal/digestset"
	"sluice.dev/internal/journal"
	"sluice.dev/worker/publish"
)

// ownOutputs finds the records that name an output. There may be several: an
// item is another one once its input has changed, and publishes the same.
type ownOutputs struct {
	journal *journal.Journal
	// at has where in the journal the last record of a path is and, by where a
	// record is, where the one before it is.
	at *digestset.Map
}

func newOwnOutputs(dir string, j *journal.Journal) *ownOutputs {
	return &ownOutputs{journal: j, at: digestset.NewMap(dir)}
}

func (o *ownOutputs) close() error { return o.at.Close() }

// add takes a record and tells which output it names.
func (o *ownOutputs) add(r publish.Record, at int64) (output string, err error) {
	output = filepath.Join(r.Dir, r.Files[len(r.Files)-1].Name)
	before, had, err := o.at.Put(output, uint64(at))
	if err == nil && had {
		_, _, err = o.at.Put(earlier(at), before)
	}
	return output, err
}

// files are what records prove to be published by us with an output.
func (o *ownOutputs) files(output string) (files []publish.File, err error) {
	err = o.each(output, func(_ string, r publish.Record) {
		files = append(files, r.Files...)
	})
	return files, err
}

// taken tells whether what is there under the name of an item's output is what
// another item has published since: the same one with another command, mostly.
func (o *ownOutputs) taken(id, output string) (bool, error) {
	at, has, err := o.at.Get(output)
	if err != nil || !has {
		return false, err
	}
	if _, several, err := o.at.Get(earlier(int64(at))); err != nil || !several {
		return false, err // one record, and it is the item's: most need not be read
	}
	var own, others []publish.File
	err = o.each(output, func(by string, r publish.Record) {
		if by == id {
			own = append(own, r.Files...)
		} else {
			others = append(others, r.Files...)
		}
	})
	return err == nil && !proves(own, output) && proves(others, output), err
}

// proves tells whether what is there is one of these files.
func proves(files []publish.File, output string) bool {
	_, err := publish.Check(output, publish.ExistingFail, files)
	return err == nil && len(files) > 0
}

// each goes through the records that name an output, the last one first.
func (o *ownOutputs) each(output string, f func(id string, r publish.Record)) error {
	for key := output; ; {
		at, has, err := o.at.Get(key)
		if err != nil || !has {
			return err
		}
		rec, err := o.journal.RecordAt(int64(at))
		if err != nil {
			return err
		}
		r, err := publish.Decode(rec.Data)
		if err != nil {
			return err
		}
		f(rec.ID, r)
		key = earlier(int64(at))
	}
}

// earlier is the key of the record before another: no path has a NUL.
func earlier(at int64) string { return "\x00" + strconv.FormatInt(at, 10) }
