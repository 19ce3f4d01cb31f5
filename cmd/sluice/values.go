package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice.dev/internal/printer"
)

// The values of flags say what is allowed when they refuse one; flagError adds
// the flag's name and the value.

// intValue is a whole number within bounds.
type intValue struct {
	p        *int
	min, max int
}

func (v intValue) String() string {
	if v.p == nil {
		return ""
	}
	return strconv.Itoa(*v.p)
}
func (intValue) Type() string { return "N" }
func (v intValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("a whole number from %d to %d is allowed", v.min, v.max)
	}
	*v.p = n
	return nil
}

// durationValue is a length of time within bounds.
type durationValue struct {
	p        *time.Duration
	min, max time.Duration
}

func (v durationValue) String() string {
	if v.p == nil || *v.p == 0 {
		return ""
	}
	return v.p.String()
}
func (durationValue) Type() string { return "D" }
func (v durationValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < v.min || d > v.max {
		return fmt.Errorf("a time from %s to %s with its unit is allowed, such as 1s, 90s or 5m", short(v.min), short(v.max))
	}
	*v.p = d
	return nil
}

// short is a duration without the units that are zero.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// codesValue is a list of exit codes: 3,64-78.
type codesValue struct{ p *[]int }

func (v codesValue) String() string {
	if v.p == nil || len(*v.p) == 0 {
		return ""
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(*v.p), " ", ","), "[]")
}
func (codesValue) Type() string { return "CODES" }
func (v codesValue) Set(s string) error {
	bad := errors.New("exit codes from 1 to 255 are allowed, such as 2 or 3,64-78")
	var codes []int
	for part := range strings.SplitSeq(s, ",") {
		from, to, ranged := strings.Cut(part, "-")
		a, err := strconv.Atoi(from)
		if err != nil || a < 1 || a > 255 {
			return bad
		}
		b := a
		if ranged {
			if b, err = strconv.Atoi(to); err != nil || b < a || b > 255 {
				return bad
			}
		}
		for c := a; c <= b; c++ {
			codes = append(codes, c)
		}
	}
	*v.p = codes
	return nil
}

// choiceValue is one of a few words.
type choiceValue struct {
	p       *string
	choices []string
}

func (v choiceValue) String() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}
func (v choiceValue) Type() string { return strings.Join(v.choices, "|") }
func (v choiceValue) Set(s string) error {
	if slices.Contains(v.choices, s) {
		*v.p = s
		return nil
	}
	return fmt.Errorf("%s or %s is allowed", strings.Join(v.choices[:len(v.choices)-1], ", "), v.choices[len(v.choices)-1])
}

// formatValue is a form in which things are shown.
type formatValue struct{ p *string }

func (v formatValue) String() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}
func (formatValue) Type() string { return strings.Join(printer.Formats, "|") + "|jsonpath=TEMPLATE" }
func (v formatValue) Set(s string) error {
	if _, err := printer.ParseFormat(s); err != nil {
		return err
	}
	*v.p = s
	return nil
}
