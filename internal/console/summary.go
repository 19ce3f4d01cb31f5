package console

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sluice.dev/internal/payload"
	"sluice.dev/internal/plain"
	"sluice.dev/queue"
)

// How much of the dead a summary shows.
const (
	maxReasons     = 10
	maxDeadShown   = 10 // items of one reason
	maxReasonBytes = 240
	maxNameBytes   = 120
	maxTailLines   = 5
)

// Summary is what a run says at its end.
type Summary struct {
	Lines      int64 // read from the input; 0 if it has no lines
	Items      int64 // different items among them
	Duplicates int64 // lines that repeated an item
	Skipped    int64 // lines whose output was there before

	DoneBefore, DeadBefore int64 // items that an earlier run has ended

	Done, Dead int64
	Cancelled  int64
	Left       int64 // to be done yet, as after an interrupt
	Elapsed    time.Duration

	Records []queue.Record // the dead items; any of another state are passed over
}

// Print writes the counts, and the dead items by the reason of their last
// failure: the most frequent first, ten reasons of ten items at most, each
// item with the last five lines of its stderr. Nothing that comes from an item
// can drive a terminal.
func (s Summary) Print(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(s.input())
	fmt.Fprintf(&b, "%d done, %d dead", s.Done, s.Dead)
	if s.Cancelled > 0 {
		fmt.Fprintf(&b, ", %d cancelled", s.Cancelled)
	}
	if s.Left > 0 {
		fmt.Fprintf(&b, ", %d left", s.Left)
	}
	fmt.Fprintf(&b, " in %s\n", Duration(s.Elapsed))

	groups := byReason(s.Records)
	shown := groups[:min(len(groups), maxReasons)]
	for _, g := range shown {
		g.print(&b)
	}
	if hidden := groups[len(shown):]; len(hidden) > 0 {
		n := 0
		for _, g := range hidden {
			n += len(g.records)
		}
		fmt.Fprintf(&b, "and %d dead for %s\n", n, count(int64(len(hidden)), "other reason"))
	}
	if s.DeadBefore > 0 {
		fmt.Fprintf(&b, "%d dead before: --retry-dead tries them again\n", s.DeadBefore)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("console: summary: %w", err)
	}
	return nil
}

func (s Summary) input() string {
	var parts []string
	if s.Lines > 0 {
		parts = append(parts, count(s.Lines, "line"))
	}
	parts = append(parts, count(s.Items, "item"))
	if s.Duplicates > 0 {
		parts = append(parts, count(s.Duplicates, "duplicate"))
	}
	if s.Skipped > 0 {
		parts = append(parts, fmt.Sprintf("%d skipped: output exists", s.Skipped))
	}
	if s.DoneBefore > 0 {
		parts = append(parts, fmt.Sprintf("%d done before", s.DoneBefore))
	}
	return strings.Join(parts, ", ") + "\n"
}

// deadGroup is the dead items of one reason.
type deadGroup struct {
	reason  string
	records []queue.Record
}

// byReason sorts groups by size, then text; items keep their order.
func byReason(records []queue.Record) []deadGroup {
	at := map[string]int{}
	var groups []deadGroup
	for _, r := range records {
		if r.State != queue.Dead {
			continue
		}
		reason := lastFailure(r).String()
		if reason == "" {
			reason = "no reason recorded"
		}
		i, ok := at[reason]
		if !ok {
			i = len(groups)
			at[reason] = i
			groups = append(groups, deadGroup{reason: reason})
		}
		groups[i].records = append(groups[i].records, r)
	}
	slices.SortFunc(groups, func(a, b deadGroup) int {
		return cmp.Or(cmp.Compare(len(b.records), len(a.records)), cmp.Compare(a.reason, b.reason))
	})
	return groups
}

func (g deadGroup) print(b *bytes.Buffer) {
	fmt.Fprintf(b, "%d dead: %s\n", len(g.records), plain.Text(shorten(g.reason, maxReasonBytes)))
	shown := g.records[:min(len(g.records), maxDeadShown)]
	for _, r := range shown {
		fmt.Fprintf(b, "  %s  (%s)\n", plain.Text(shorten(itemName(r.Item), maxNameBytes)), count(int64(r.Attempts), "attempt"))
		for _, line := range tail(lastFailure(r).Stderr) {
			fmt.Fprintf(b, "    %s\n", line)
		}
	}
	if more := len(g.records) - len(shown); more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}

func lastFailure(r queue.Record) queue.Failure {
	if len(r.Failures) == 0 {
		return queue.Failure{}
	}
	return r.Failures[len(r.Failures)-1]
}

// itemName is what a person knows an item by: its argument, else its id.
func itemName(it queue.Item) string {
	if p, err := payload.Decode(it.Payload); err == nil && p.Arg != "" {
		return p.Arg
	}
	return it.ID
}

// tail is the last lines of a stderr that are not blank, as a terminal would
// have left them: of a line that was written over, its last state.
func tail(stderr string) []string {
	var lines []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimRight(line, " \t\r\n")
		line = line[strings.LastIndexByte(line, '\r')+1:]
		if line != "" {
			lines = append(lines, plain.Text(strings.ReplaceAll(line, "\t", "    ")))
		}
	}
	return lines[max(0, len(lines)-maxTailLines):]
}
