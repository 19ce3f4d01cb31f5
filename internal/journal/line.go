package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sumLength = 9 // with the space

func appendLine(b []byte, e Entry) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return b, err
	}
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(text, castagnoli))
	return append(append(b, text...), '\n'), nil
}

// parse reads a line with its sum and its newline. The entry's data are bytes
// of the line.
func parse(line []byte) (e Entry, ok bool) {
	text, whole := bytes.CutSuffix(line, []byte("\n"))
	if !whole || len(text) <= sumLength || text[sumLength-1] != ' ' {
		return e, false
	}
	var sum [4]byte
	if _, err := hex.Decode(sum[:], text[:2*len(sum)]); err != nil {
		return e, false
	}
	text = text[sumLength:]
	if binary.BigEndian.Uint32(sum[:]) != crc32.Checksum(text, castagnoli) {
		return e, false
	}
	if e, ok = scan(text); ok {
		return e, true
	}
	return e, json.Unmarshal(text, &e) == nil
}

// scan reads an entry as json.Marshal writes it, if there is nothing in it that
// needs more than a look: ids are hexadecimal as a rule. It takes a tenth of
// the time.
func scan(text []byte) (e Entry, ok bool) {
	rest, ok := bytes.CutPrefix(text, []byte(`{"kind":"`))
	if !ok {
		return Entry{}, false
	}
	for _, k := range kinds {
		if after, found := bytes.CutPrefix(rest, []byte(k)); found {
			e.Kind, rest = k, after
		}
	}
	rest, ok = bytes.CutPrefix(rest, []byte(`","id":"`))
	n := bytes.IndexByte(rest, '"')
	if !ok || e.Kind == "" || n < 0 || !plain(rest[:n]) {
		return Entry{}, false
	}
	e.ID, rest = string(rest[:n]), rest[n+1:]
	if after, found := bytes.CutPrefix(rest, []byte(`,"attempts":`)); found {
		if e.Attempts, rest = number(after); e.Attempts == 0 {
			return Entry{}, false
		}
	}
	if after, found := bytes.CutPrefix(rest, []byte(`,"data":`)); found {
		data, closed := bytes.CutSuffix(after, []byte("}"))
		if !closed || !json.Valid(data) || len(bytes.TrimSpace(data)) < len(data) {
			return Entry{}, false
		}
		e.Data = data
		return e, true
	}
	if string(rest) != "}" {
		return Entry{}, false
	}
	return e, true
}

// plain tells whether the inside of a JSON string stands for itself.
func plain(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}

// number reads the number before rest, which has eight digits at the most and
// is not 0; else it is 0.
func number(b []byte) (n int, rest []byte) {
	for i, c := range b {
		if c < '0' || c > '9' {
			return n, b[i:]
		}
		if n = 10*n + int(c-'0'); n == 0 || i == 8 {
			break
		}
	}
	return 0, nil
}

// eachLine calls f for the lines of a file, the last of which may have no
// newline, with where they begin. Their bytes are good until f returns.
func eachLine(file io.Reader, f func(line []byte, at int64) error) error {
	r := bufio.NewReaderSize(file, 1<<16)
	var long []byte // the begin of a line that the buffer does not hold
	for at := int64(0); ; {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, line...)
			continue
		}
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		if len(long) > 0 {
			line = append(long, line...)
			long = nil
		}
		if len(line) > 0 {
			if err := f(line, at); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
		at += int64(len(line))
	}
}
