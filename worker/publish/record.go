package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"
)

// File is the identity of one published entry. A folder's is its inode alone.
// Its JSON keeps names that are not UTF-8.
type File struct {
	Name    string // in the folder; any bytes but a slash and NUL
	Size    int64  // bytes; 0 of a folder
	ModTime int64  // nanoseconds since 1970; 0 of a folder
	Inode   uint64
	Dir     bool
}

// identify is the identity of what info describes.
func identify(info fs.FileInfo) File {
	f := File{Name: info.Name(), Dir: info.IsDir()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.Inode = st.Ino
	}
	if !f.Dir {
		f.Size, f.ModTime = info.Size(), info.ModTime().UnixNano()
	}
	return f
}

// is tells whether info describes this very file, under whatever name.
func (f File) is(info fs.FileInfo) bool {
	if info == nil {
		return false
	}
	other := identify(info)
	other.Name = f.Name
	return f == other
}

// Record is what an attempt publishes, as it is committed. Its paths are those
// that the item has: a relative one starts at the working directory of whoever
// finishes the record.
type Record struct {
	Dir     string // where the files belong
	Staging string // where they are until then; a folder in Dir
	Files   []File // in the order in which they are published
	Replace bool   // whatever else has their names is replaced
	// Previous are the files of an earlier record of the same output. They
	// are replaced where they still are what that record says.
	Previous []File
}

// recordVersion is of the kept form.
const recordVersion = 1

type recordJSON struct {
	V        int    `json:"publish"`
	Dir      text   `json:"dir"`
	Staging  text   `json:"staging"`
	Files    []File `json:"files"`
	Replace  bool   `json:"replace,omitempty"`
	Previous []File `json:"previous,omitempty"`
}

type fileJSON struct {
	Name    text   `json:"name"`
	Size    int64  `json:"size,omitempty"`
	ModTime int64  `json:"mtime,omitempty"`
	Inode   uint64 `json:"inode"`
	Dir     bool   `json:"dir,omitempty"`
}

// Encode is the record's kept form: a JSON object.
func (r Record) Encode() ([]byte, error) {
	b, err := json.Marshal(recordJSON{recordVersion, text(r.Dir), text(r.Staging), r.Files, r.Replace, r.Previous})
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return b, nil
}

// Decode reads what Encode wrote.
func Decode(b []byte) (Record, error) {
	var w recordJSON
	if err := json.Unmarshal(b, &w); err != nil {
		return Record{}, fmt.Errorf("publish: record %.80q: %w", b, err)
	}
	if w.V != recordVersion {
		return Record{}, fmt.Errorf("publish: record %.80q has form %d: this program reads form %d", b, w.V, recordVersion)
	}
	r := Record{string(w.Dir), string(w.Staging), w.Files, w.Replace, w.Previous}
	if err := r.validate(); err != nil {
		return Record{}, fmt.Errorf("publish: record %.80q: %w", b, err)
	}
	return r, nil
}

// validate keeps a damaged record from moving anything between other places
// than a staging folder and the folder around it.
func (r Record) validate() error {
	if filepath.Dir(r.Staging) != filepath.Clean(r.Dir) || !strings.HasPrefix(filepath.Base(r.Staging), prefix) {
		return fmt.Errorf("staging %q is no staging folder in %q", r.Staging, r.Dir)
	}
	if len(r.Files) == 0 {
		return errors.New("it lists no files")
	}
	if i := slices.IndexFunc(r.Files, func(f File) bool { return !isEntry(f.Name) }); i >= 0 {
		return fmt.Errorf("file %q is not the name of an entry in a folder", r.Files[i].Name)
	}
	return nil
}

// isEntry tells whether name can be that of a published entry.
func isEntry(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00") && !strings.HasPrefix(name, prefix)
}

// MarshalJSON keeps the name's bytes.
func (f File) MarshalJSON() ([]byte, error) {
	return json.Marshal(fileJSON{text(f.Name), f.Size, f.ModTime, f.Inode, f.Dir})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (f *File) UnmarshalJSON(b []byte) error {
	var w fileJSON
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*f = File{string(w.Name), w.Size, w.ModTime, w.Inode, w.Dir}
	return nil
}

// text is a string as JSON, or {"base64": ...} when it is not UTF-8.
type text string

type textJSON struct {
	Base64 []byte `json:"base64"`
}

func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(textJSON{[]byte(t)})
}

func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return json.Unmarshal(b, (*string)(t))
	}
	var w textJSON
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*t = text(w.Base64)
	return nil
}
