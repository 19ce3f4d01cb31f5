package itemlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// lineRoom is how far a cut goes out of its way to fall between two lines.
const lineRoom = 4 << 10

// cut shortens what an attempt wrote to its limit, of which each of the two
// streams may have half and what the other leaves. One that is empty has no
// file. Nobody writes any more.
func (e Entry) cut() error {
	out, err := e.streamSize(outSuffix)
	if err != nil {
		return err
	}
	errs, err := e.streamSize(errSuffix)
	if err != nil {
		return err
	}
	return errors.Join(
		e.cutStream(outSuffix, out, max(e.Limit/2, e.Limit-errs)),
		e.cutStream(errSuffix, errs, max(e.Limit/2, e.Limit-out)))
}

// streamSize is 0 for a file that is not there.
func (e Entry) streamSize(suffix string) (int64, error) {
	info, err := os.Stat(e.path(suffix))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// cutStream leaves the head and the tail of a stream that is longer than keep,
// and between them a line that says so. The short file takes the place of the
// long one at once: killed at any moment, one of them is there, and who reads
// the long one reads on.
func (e Entry) cutStream(suffix string, size, keep int64) error {
	path := e.path(suffix)
	switch {
	case size == 0:
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	case size <= keep:
		return nil
	}
	long, err := os.Open(path)
	if err != nil {
		return err
	}
	defer long.Close()
	short, err := os.OpenFile(path+cutSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	b, err := shorten(long, size, keep, e.Limit)
	if err == nil {
		_, err = short.Write(b)
	}
	if err = errors.Join(err, short.Close()); err == nil {
		err = os.Rename(path+cutSuffix, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path+cutSuffix))
	}
	return nil
}

// cutSuffix is of a file that is to take the place of another.
const cutSuffix = ".cut"

// noteRoom is more than the line takes that says what is missing: with it a
// stream that was cut is not too long.
const noteRoom = 128

// shorten is the head and the tail of a file of this size, with a line between
// that tells how much is missing, in keep bytes at most.
func shorten(f io.ReaderAt, size, keep, limit int64) ([]byte, error) {
	half := (keep - noteRoom) / 2
	head, tail := make([]byte, half), make([]byte, half)
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, err
	}
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return nil, err
	}
	if i := bytes.LastIndexByte(head, '\n'); i >= 0 && i >= len(head)-lineRoom {
		head = head[:i+1]
	}
	if i := bytes.IndexByte(tail[:min(half, lineRoom)], '\n'); i >= 0 && i+1 < len(tail) {
		tail = tail[i+1:]
	}
	left := size - int64(len(head)) - int64(len(tail))
	begin := ""
	if len(head) > 0 && head[len(head)-1] != '\n' {
		begin = "\n"
	}
	note := fmt.Sprintf("%s[sluice: %d bytes are left out here: at most %d of an attempt are kept]\n", begin, left, limit)
	return slices.Concat(head, []byte(note), tail), nil
}
