package journal

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// load has what all files tell in one, and indexes it.
func (j *Journal) load() (err error) {
	if err := awaitWriters(filepath.Join(j.dir, writersName)); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.discard())
		}
	}()
	files, err := logs(j.dir)
	if err != nil {
		return err
	}
	j.Resumed = len(files) > 0
	full := slices.DeleteFunc(slices.Clone(files), func(f log) bool { return f.size == 0 })
	lines, damaged := 0, false
	switch len(full) {
	case 0:
	case 1: // it is indexed where it stands
		if j.file, err = os.Open(filepath.Join(j.dir, full[0].name)); err == nil {
			lines, err = j.read(j.file, nil)
			damaged = j.Damaged > 0
		}
	default: // in one file, without what is damaged
		lines, err = j.gather(full)
	}
	if err == nil && (damaged || lines > 2*j.index.counting()) {
		err = j.compact()
	}
	if err == nil {
		err = j.install(files)
	}
	if err == nil {
		j.Writer, err = NewWriter(j.dir, "run-"+strconv.Itoa(os.Getpid()))
	}
	return err
}

// log is a file of lines.
type log struct {
	name        string
	begun, size int64
}

// logs lists the files of a journal in the order in which they were begun: the
// snapshot, then the others by their number. It removes those of folds that
// were cut short.
func logs(dir string) ([]log, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []log
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, foldPrefix) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return nil, err
			}
		}
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
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		found = append(found, log{name, begun, info.Size()})
	}
	slices.SortFunc(found, func(a, b log) int { return cmp.Compare(a.begun, b.begun) })
	return found, nil
}

// output is a file that lines are written to.
type output struct {
	*bufio.Writer
	at int64 // where the next one begins
}

func (o *output) add(line []byte) error {
	o.at += int64(len(line))
	_, err := o.Write(line)
	return err
}

// read indexes a file's lines, where they stand or, if they go to out, where
// they stand there. It counts those that say something.
func (j *Journal) read(f io.Reader, out *output) (lines int, err error) {
	err = eachLine(f, func(line []byte, at int64) error {
		e, ok := parse(line)
		if !ok {
			j.Damaged++
			return nil
		}
		if out != nil {
			at = out.at
		}
		counts, err := j.index.add(e, at)
		if err != nil || !counts {
			return err
		}
		lines++
		if out != nil {
			return out.add(line)
		}
		return nil
	})
	return lines, err
}

// begin makes a new file the one that has everything, once it has.
func (j *Journal) begin() (*output, error) {
	f, err := os.CreateTemp(j.dir, foldPrefix+"*")
	if err != nil {
		return nil, err
	}
	j.file = f
	return &output{Writer: bufio.NewWriterSize(f, 1<<16)}, nil
}

// discard removes a file that was to have everything.
func (j *Journal) discard() error {
	if j.file == nil || !strings.HasPrefix(filepath.Base(j.file.Name()), foldPrefix) {
		return nil
	}
	if err := os.Remove(j.file.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// gather writes the lines of several files into one.
func (j *Journal) gather(files []log) (lines int, err error) {
	out, err := j.begin()
	if err != nil {
		return 0, err
	}
	for _, l := range files {
		f, err := os.Open(filepath.Join(j.dir, l.name))
		if err != nil {
			return lines, err
		}
		n, err := j.read(f, out)
		if err = errors.Join(err, f.Close()); err != nil {
			return lines, err
		}
		lines += n
	}
	return lines, out.Flush()
}

// compact leaves out what damage or later entries have made worthless. An entry
// moves towards the begin of the file, so that no place is taken for another.
func (j *Journal) compact() error {
	old, err := j.file, j.discard() // its name alone
	if err != nil {
		return err
	}
	out, err := j.begin()
	if err != nil {
		return errors.Join(err, old.Close())
	}
	err = eachLine(io.NewSectionReader(old, 0, math.MaxInt64), func(line []byte, at int64) error {
		e, ok := parse(line)
		if !ok {
			return nil
		}
		if counts, err := j.index.move(e, at, out.at); err != nil || !counts {
			return err
		}
		return out.add(line)
	})
	return errors.Join(err, out.Flush(), old.Close())
}

// install makes the file that has everything the snapshot, and removes the
// rest. Cut short, it leaves what says the same: reading a file twice, and those
// that came after it, says nothing new.
func (j *Journal) install(files []log) error {
	snapshot := filepath.Join(j.dir, snapshotName)
	if j.file != nil && j.file.Name() != snapshot {
		if err := j.file.Sync(); err != nil {
			return err
		}
		if err := os.Rename(j.file.Name(), snapshot); err != nil {
			return err
		}
		if err := syncDir(j.dir); err != nil {
			return err
		}
	}
	for _, f := range files { // in their order
		if f.name == snapshotName {
			continue
		}
		if err := os.Remove(filepath.Join(j.dir, f.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
