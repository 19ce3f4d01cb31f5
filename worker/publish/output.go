package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Record checks what the command left in the staging folder, makes it durable
// and returns what to commit. The output must be there, and have at least one
// byte (a folder: one entry) and at least minBytes bytes (a folder: in all of
// its files); else the error is a *BadOutput. The attempt's processes must
// have ended.
func (s *Stage) Record(minBytes int64, e Existing) (Record, error) {
	r := Record{Dir: s.dir, Staging: s.Dir(), Replace: e == ExistingReplace}
	names, err := s.outputs()
	if err != nil {
		return Record{}, err
	}
	for _, name := range names {
		f, err := s.settle(name, minBytes)
		if err != nil {
			return Record{}, err
		}
		r.Files = append(r.Files, f)
	}
	// The entries of the staging folder, then the folder's own.
	for _, dir := range []string{r.Staging, r.Dir} {
		if err := syncDir(dir); err != nil {
			return Record{}, fmt.Errorf("publish: make the output durable: %w", err)
		}
	}
	return r, nil
}

// outputs lists the names in the staging folder, the output's own last.
func (s *Stage) outputs() ([]string, error) {
	entries, err := os.ReadDir(s.Dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &BadOutput{s.Out(), "is not there, nor is the folder around it: the command removed it"}
	}
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	var others []string
	found := false
	for _, e := range entries {
		switch {
		case e.Name() == s.name:
			found = true
		case !isEntry(e.Name()):
			return nil, &BadOutput{filepath.Join(s.Dir(), e.Name()), "has a name that begins with " + prefix + ", which is sluice's own"}
		default:
			others = append(others, e.Name())
		}
	}
	if !found {
		return nil, &BadOutput{s.Out(), "is not there" + instead(others)}
	}
	return append(others, s.name), nil
}

// instead says what a command left in place of its output.
func instead(names []string) string {
	const most = 3
	if len(names) == 0 {
		return ": the command wrote nothing"
	}
	more := ""
	if len(names) > most {
		names, more = names[:most], " and more"
	}
	return fmt.Sprintf(": the command left %q%s in its place", names, more)
}

// settle checks one entry, makes it durable and takes its identity.
func (s *Stage) settle(name string, minBytes int64) (File, error) {
	path := filepath.Join(s.Dir(), name)
	info, err := os.Lstat(path)
	if err != nil {
		return File{}, fmt.Errorf("publish: %w", err)
	}
	content, reason := s.content(path, info)
	if reason != "" {
		return File{}, &BadOutput{path, reason}
	}
	size, err := syncTree(content)
	if err != nil {
		return File{}, fmt.Errorf("publish: make the output durable: %w", err)
	}
	if name == s.name {
		reason, err := tooSmall(content, size, minBytes)
		if err != nil {
			return File{}, fmt.Errorf("publish: %w", err)
		}
		if reason != "" {
			return File{}, &BadOutput{path, reason}
		}
	}
	if info, err = os.Lstat(path); err != nil {
		return File{}, fmt.Errorf("publish: %w", err)
	}
	return identify(info), nil
}

// content is where the bytes of an entry are: what a link leads to, else the
// entry itself. Or it is the reason why the entry cannot be published.
func (s *Stage) content(path string, info fs.FileInfo) (content, reason string) {
	switch info.Mode().Type() {
	case 0:
		return path, ""
	case fs.ModeDir:
		// To move a folder is to change its own "..".
		if unix.Access(path, unix.W_OK) != nil {
			return "", "is a folder without write permission, which cannot be moved into place"
		}
		return path, ""
	case fs.ModeSymlink:
		return s.follow(path)
	}
	return "", fmt.Sprintf("is neither a file nor a folder (%s)", info.Mode().Type())
}

// follow is what a link leads to. A link that does not lead through the
// staging folder alone would mean something else one folder further up.
func (s *Stage) follow(path string) (content, reason string) {
	target, err := os.Readlink(path)
	if err != nil {
		return "", "is a link that cannot be read: " + err.Error()
	}
	content, err = filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Sprintf("is a link to %q, which is not there", target)
	}
	root, err := filepath.EvalSymlinks(s.Dir())
	if err == nil && filepath.IsLocal(target) {
		rel, err := filepath.Rel(root, content)
		if err == nil && filepath.IsLocal(rel) && rel != "." {
			return content, ""
		}
	}
	return "", fmt.Sprintf("is a link to %q: only a relative link within the staging folder can be published", target)
}

// tooSmall is why an output of this size is too small, "" if it is not.
func tooSmall(content string, size, minBytes int64) (reason string, err error) {
	info, err := os.Lstat(content)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		entries, err := os.ReadDir(content)
		if err != nil {
			return "", err
		}
		if len(entries) == 0 {
			return "is an empty folder", nil
		}
	} else if size == 0 {
		return "is empty", nil
	}
	if size < minBytes {
		return fmt.Sprintf("has %d bytes: at least %d are wanted", size, minBytes), nil
	}
	return "", nil
}
