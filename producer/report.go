package producer

import (
	"fmt"
	"strings"
)

// Report counts what became of an input. After a pass without an error
// Lines is Items + Duplicates + Skipped.
type Report struct {
	Lines      int64 // records: lines that are not empty, matches, arguments
	Items      int64 // items that the input has, or that were added
	Duplicates int64 // lines whose item was there before
	Skipped    int64 // lines that were left out since their output exists
}

// String is the report for people: "10 lines, 9 items, 1 duplicate". What
// there is none of, beyond lines and items, is left out.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s", count(r.Lines, "line"), count(r.Items, "item"))
	if r.Duplicates > 0 {
		fmt.Fprintf(&b, ", %s", count(r.Duplicates, "duplicate"))
	}
	if r.Skipped > 0 {
		fmt.Fprintf(&b, ", %d skipped: output exists", r.Skipped)
	}
	return b.String()
}

func count(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
