package publish

import (
	"fmt"
	"io/fs"
)

// Existing is what happens when something stands under the final name that
// this item did not publish.
type Existing string

// The values of Existing. Empty means ExistingFail.
const (
	ExistingFail    Existing = "fail"
	ExistingSkip    Existing = "skip"
	ExistingReplace Existing = "replace"
)

// ParseExisting reads a value of Existing; "" is ExistingFail.
func ParseExisting(s string) (Existing, error) {
	switch e := Existing(s); e {
	case "":
		return ExistingFail, nil
	case ExistingFail, ExistingSkip, ExistingReplace:
		return e, nil
	}
	return "", fmt.Errorf("existing %q is unknown: fail, skip and replace are allowed", s)
}

// Check looks at a final path before anything runs for it. It returns skip if
// the item needs no run, and *Exists if it must not run. A final that is one
// of previous, the files that an earlier record of the same output lists, is
// in nobody's way: its record proves where it comes from.
func Check(final string, e Existing, previous []File) (skip bool, err error) {
	info, err := lstat(final)
	if err != nil {
		return false, fmt.Errorf("publish: %w", err)
	}
	if info == nil || e == ExistingReplace || isOneOf(previous, info) {
		return false, nil
	}
	if e == ExistingSkip {
		return true, nil
	}
	return false, &Exists{Path: final}
}

func isOneOf(files []File, info fs.FileInfo) bool {
	for _, f := range files {
		if f.Name == info.Name() && f.is(info) {
			return true
		}
	}
	return false
}
