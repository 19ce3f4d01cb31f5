package producer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// Glob yields the regular files that a pattern matches, symbolic links to them
// included, sorted by name within each folder.
//
// The pattern is that of path.Match for each part between slashes; a part **
// stands for any number of folders, none included, and as the last part for
// every file below. As in a shell, a name that begins with a dot is matched
// only by a part that does so too, and ** goes into no such folder nor through
// a symbolic link. Matches are spelled as the pattern is: relative if it is.
//
// It holds the names of one folder at each level of the tree, and no more.
//
// A malformed pattern, one that matches no file, and a folder that cannot be
// read are errors.
func Glob(pattern string) Source {
	return func(yield func(Record, error) bool) {
		root, parts, err := splitPattern(pattern)
		if err != nil {
			yield(Record{}, fmt.Errorf("glob %q: %w", pattern, err))
			return
		}
		w := globber{parts: parts, yield: yield}
		switch err := w.walk(root, []int{0}); {
		case errors.Is(err, errStop):
		case err != nil:
			yield(Record{}, fmt.Errorf("glob %q: %w", pattern, err))
		case !w.matched:
			yield(Record{}, fmt.Errorf("glob %q: no file matches", pattern))
		}
	}
}

// CheckGlob is the error of a pattern that is malformed, whichever files there
// are.
func CheckGlob(pattern string) error {
	_, _, err := splitPattern(pattern)
	return err
}

const anyDepth = "**"

// splitPattern is where a pattern starts, "/" or "", and its parts.
func splitPattern(pattern string) (root string, parts []string, err error) {
	if pattern == "" {
		return "", nil, errors.New("the pattern is empty")
	}
	if strings.HasSuffix(pattern, "/") {
		return "", nil, errors.New("the pattern ends in '/', and only files match")
	}
	if pattern[0] == '/' {
		root = "/"
	}
	for part := range strings.SplitSeq(pattern, "/") {
		if _, err := path.Match(part, ""); err != nil {
			return "", nil, err
		}
		repeated := part == anyDepth && len(parts) > 0 && parts[len(parts)-1] == anyDepth
		if part != "" && !repeated {
			parts = append(parts, part)
		}
	}
	if parts[len(parts)-1] == anyDepth {
		parts = append(parts, "*")
	}
	return root, parts, nil
}

var errStop = errors.New("the consumer wants no more")

// globber walks a tree once, whatever the pattern: it knows at each folder
// which parts may come next, so that no file is matched twice.
type globber struct {
	parts   []string
	yield   func(Record, error) bool
	matched bool
}

// walk looks in dir, which is "" or ends in a slash, for the parts at the
// indices of next.
func (g *globber) walk(dir string, next []int) error {
	next = g.skipDepth(next)
	if len(next) == 1 && !strings.ContainsAny(g.parts[next[0]], `*?[\`) {
		i := next[0]
		if i == len(g.parts)-1 {
			return g.enter(dir+g.parts[i], true, nil)
		}
		return g.enter(dir+g.parts[i], false, []int{i + 1})
	}
	entries, err := os.ReadDir(cmp.Or(dir, "."))
	if absent(err) {
		return nil // not there, not a folder, or gone since its name was read
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		last, after := g.match(e, next)
		if !last && len(after) == 0 {
			continue
		}
		if err := g.enter(dir+e.Name(), last, after); err != nil {
			return err
		}
	}
	return nil
}

// skipDepth adds to each ** the part behind it, since ** may be no folder.
func (g *globber) skipDepth(next []int) []int {
	var all []int
	for _, i := range next {
		all = append(all, i)
		if g.parts[i] == anyDepth {
			all = append(all, i+1)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// match tells whether an entry ends the pattern and which parts may come in it
// if it is a folder.
func (g *globber) match(e fs.DirEntry, next []int) (last bool, after []int) {
	for _, i := range next {
		part := g.parts[i]
		hidden := e.Name()[0] == '.' && part[0] != '.'
		switch {
		case hidden:
		case part == anyDepth:
			if e.IsDir() {
				after = append(after, i)
			}
		default:
			if ok, _ := path.Match(part, e.Name()); !ok {
				continue
			}
			if i == len(g.parts)-1 {
				last = true
			} else {
				after = append(after, i+1)
			}
		}
	}
	return last, after
}

// enter yields name if it is a file that ends the pattern, or goes on in it if
// it is a folder.
func (g *globber) enter(name string, last bool, after []int) error {
	info, err := os.Stat(name)
	switch {
	case absent(err):
		return nil
	case err != nil:
		return err
	case info.Mode().IsRegular() && last:
		g.matched = true
		if !g.yield(Record{Arg: name, File: true, Pos: Position{Name: name}}, nil) {
			return errStop
		}
	case info.IsDir() && len(after) > 0:
		return g.walk(name+"/", after)
	}
	return nil
}

// absent tells whether a path leads nowhere.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}
