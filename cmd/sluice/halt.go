package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sluice.dev/queue"
)

// halt is when a run ends before its items do, as --halt of GNU parallel says
// it. The zero value is never.
type halt struct {
	never   bool // said: also where every item fails, as one whose exit code is an answer does
	now     bool // items that run are ended, not waited for
	what    string
	n       int64
	percent bool // n is of all items, once their number is known
}

// reached tells whether a run ends at these numbers; whole says that the input
// has ended.
func (h halt) reached(d queue.Depth, whole bool) bool {
	var n int64
	switch h.what {
	case "fail":
		n = d.Dead
	case "success":
		n = d.Done
	case "done":
		n = d.Done + d.Dead
	default:
		return false
	}
	if h.percent {
		return whole && n > 0 && n*100 >= h.n*d.Total()
	}
	return n >= h.n
}

func (h halt) String() string {
	if h.what == "" {
		return "never"
	}
	when, unit := "soon", ""
	if h.now {
		when = "now"
	}
	if h.percent {
		unit = "%"
	}
	return fmt.Sprintf("%s,%s=%d%s", when, h.what, h.n, unit)
}

// haltValue is halt as a flag.
type haltValue struct{ p *halt }

func (v haltValue) String() string {
	if v.p == nil || v.p.what == "" {
		return ""
	}
	return v.p.String()
}
func (haltValue) Type() string { return "WHEN" }
func (v haltValue) Set(s string) error {
	bad := errors.New("never is allowed, or now or soon with fail, success or done and a number or a percentage, such as now,fail=1 or soon,fail=10%")
	if s == "never" {
		*v.p = halt{never: true}
		return nil
	}
	when, why, _ := strings.Cut(s, ",")
	what, number, _ := strings.Cut(why, "=")
	if when != "now" && when != "soon" || what != "fail" && what != "success" && what != "done" {
		return bad
	}
	h := halt{now: when == "now", what: what}
	number, h.percent = strings.CutSuffix(number, "%")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || h.percent && n > 100 {
		return bad
	}
	h.n = n
	*v.p = h
	return nil
}
