package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice.dev/manifests/workload"
)

// fileLook is how often the files of a run are looked at. One that has changed
// is read when it is the same at two looks: a program may be writing it.
const fileLook = 500 * time.Millisecond

// fileWatch lets the fields "suspend" of a run's files be changed while it runs,
// as an API server would.
type fileWatch struct {
	files []string
	specs
	load func() (specs, workload.Errors) // reads and checks the files again
	say  func(format string, args ...any)

	seen, taken []fs.FileInfo // the files at the last look, and as they were last read
	told        string        // what was said last of what is not taken over
	waits       int           // looks in a row at which all that is left was suspended
}

// stamps tell one version of files from the next. A file that cannot be looked
// at has none.
func stamps(files []string) []fs.FileInfo {
	list := make([]fs.FileInfo, len(files))
	for i, name := range files {
		list[i], _ = os.Stat(name) // reading it tells what is wrong
	}
	return list
}

func same(a, b []fs.FileInfo) bool {
	return slices.EqualFunc(a, b, func(a, b fs.FileInfo) bool {
		if a == nil || b == nil {
			return a == b
		}
		return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
	})
}

// fixed is the first of some files that can be read but once, "" if there is
// none.
func fixed(files []string) string {
	for _, name := range files {
		if name == "-" {
			return "standard input"
		}
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
			return fmt.Sprintf("%q, no regular file,", name)
		}
	}
	return ""
}

// start looks at the files until ctx ends or stop is called, which waits for
// it.
func (w *fileWatch) start(ctx context.Context, say func(format string, args ...any)) (stop func()) {
	if w == nil {
		return func() {}
	}
	w.say = say
	for _, h := range w.holds {
		if h.suspended() {
			w.say("%s: suspended", h.name)
		}
	}
	ctx, end := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(fileLook)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				w.look()
				w.wait()
			}
		}
	})
	return func() {
		end()
		looking.Wait()
	}
}

// look takes over what has changed.
func (w *fileWatch) look() {
	now := stamps(w.files)
	stable := same(now, w.seen)
	w.seen = now
	if !stable || same(now, w.taken) {
		return
	}
	w.taken = now
	said, errs := w.load()
	if len(errs) > 0 {
		more := ""
		if n := len(errs) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more)", n)
		}
		w.tell(fmt.Sprintf("not taken over: %v%s", errs[0], more))
		return
	}
	if others := w.others(said); len(others) > 0 {
		w.tell("only suspend is taken over while this runs: " + strings.Join(others, ", "))
	} else {
		w.told = ""
	}
	for _, h := range w.holds {
		if now := said.holds.of(h.name); now != nil && h.set(now.on) {
			w.say("%s: %s", h.name, h.state())
		}
	}
}

// tell says once what is not taken over.
func (w *fileWatch) tell(text string) {
	if w.told != text {
		w.told = text
		w.say("%s", text)
	}
}

// others are the documents that differ otherwise than in suspend.
func (w *fileWatch) others(said specs) (list []string) {
	for name, text := range w.rest {
		if now, ok := said.rest[name]; !ok {
			list = append(list, name+" is gone")
		} else if now != text {
			list = append(list, name+" has changed")
		}
	}
	for name := range said.rest {
		if _, ok := w.rest[name]; !ok {
			list = append(list, name+" is new")
		}
	}
	slices.Sort(list)
	return list
}

// wait says, once in a row of such looks, that all that is left is suspended.
// At one look alone the next part of the run may be about to begin.
func (w *fileWatch) wait() {
	waiting := w.holds.waiting()
	if len(waiting) == 0 {
		w.waits = 0
		return
	}
	if w.waits++; w.waits != 2 {
		return
	}
	var names, files []string
	for _, h := range waiting {
		names = append(names, h.name)
		if !slices.Contains(files, h.file) {
			files = append(files, h.file)
		}
	}
	verb := "is"
	if len(names) > 1 {
		verb = "are"
	}
	w.say("all that is left waits: %s %s suspended: set suspend: false in %s to resume, or interrupt", strings.Join(names, ", "), verb, strings.Join(files, ", "))
}
