// Package triage groups failed items by what went wrong, so that a person sees
// ten thousand dead items as the three faults that they are.
package triage

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice.dev/queue"
)

// Group is the items that failed alike.
type Group struct {
	Signature string
	Records   []queue.Record // in the order in which they came
}

// Groups sorts records by the signature of their last failure, the largest
// group first. Those that never failed are left out.
func Groups(records []queue.Record) []Group {
	at := make(map[string]int)
	var groups []Group
	for _, r := range records {
		if len(r.Failures) == 0 {
			continue
		}
		s := Signature(r.Failures[len(r.Failures)-1])
		i, ok := at[s]
		if !ok {
			i = len(groups)
			at[s] = i
			groups = append(groups, Group{Signature: s})
		}
		groups[i].Records = append(groups[i].Records, r)
	}
	slices.SortStableFunc(groups, func(a, b Group) int { return cmp.Compare(len(b.Records), len(a.Records)) })
	return groups
}

// folds turn what differs from item to item into a word, in this order: an
// address holds digits, and a path may hold both.
var folds = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\b0[xX][0-9a-fA-F]+\b`), "ADDR"},
	{regexp.MustCompile(`\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b`), "ID"},
	{regexp.MustCompile(`(?:\.{0,2}|~|[\w.+-]+)/[^\s:;,"'()<>\[\]]+`), "PATH"},
	{regexp.MustCompile(`\b[\w+-]+\.[a-z][a-z0-9]{1,3}\b`), "FILE"},
	{regexp.MustCompile(`\b[0-9a-fA-F]*[0-9][0-9a-fA-F]{7,}\b`), "N"},
	{regexp.MustCompile(`\d+(\.\d+)*`), "N"},
}

// maxSignatureBytes is enough to tell faults apart on one line.
const maxSignatureBytes = 200

// Signature is what a failure has in common with others of its fault: the
// cause, the exit code, and the last line that was written to stderr or, if
// there is none, the message, with paths, file names, addresses and numbers
// folded into words.
func Signature(f queue.Failure) string {
	head := string(f.Cause)
	if f.ExitCode != 0 {
		head = fmt.Sprintf("%s %d", head, f.ExitCode)
	}
	text := lastLine(f.Stderr)
	if text == "" && f.ExitCode == 0 {
		text = lastLine(f.Message)
	}
	for _, fold := range folds {
		text = fold.pattern.ReplaceAllString(text, fold.word)
	}
	if len(text) > maxSignatureBytes {
		text = strings.ToValidUTF8(text[:maxSignatureBytes], "") + "..."
	}
	if text == "" {
		return head
	}
	return head + ": " + text
}

// lastLine is the last line that says something.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexAny(s, "\r\n")+1:])
}
